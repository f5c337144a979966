"""A megabyte in and out: stored in the bucket, and nowhere else on its way."""

import random
import string
import uuid

from tests.e2e.stack import Stack, chat


def test_a_megabyte_goes_in_and_comes_out_whole(stack: Stack) -> None:
    source = random.Random(7)
    text = "".join(source.choices(string.ascii_letters + "äöü ", k=1_000_000))
    body = {"input": {"text": text}, "model": "echoes"}
    job = stack.run(body)
    assert job["status"] == "succeeded", job["error"]
    assert job["output"]["text"] == text
    bucket = stack.physical("PayloadsBucket")
    s3 = stack.cloud.client("s3")
    kept = s3.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job['id']}/")["Contents"]
    assert len(kept) == 2
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job['id']}/")


def test_a_large_turn_of_a_conversation_goes_with_its_job(stack: Stack) -> None:
    name = f"talk-{uuid.uuid4().hex[:8]}"
    text = "".join(random.Random(8).choices(string.ascii_letters, k=200_000))
    job = stack.run({"input": {"text": text}, "model": "echoes", "conversation_id": name})
    assert job["status"] == "succeeded", job["error"]
    place = {"Bucket": stack.physical("PayloadsBucket"), "Prefix": f"conversations/demo/{name}/"}
    s3 = stack.cloud.client("s3")
    assert len(s3.list_objects_v2(**place)["Contents"]) == 1
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204
    assert "Contents" not in s3.list_objects_v2(**place)
    assert stack.api.call("GET", f"/conversations/{name}").status == 404


def test_a_small_answer_is_kept_in_the_table(stack: Stack) -> None:
    job = stack.run(chat())
    found = stack.cloud.client("s3").list_objects_v2(
        Bucket=stack.physical("PayloadsBucket"), Prefix=f"jobs/{job['id']}"
    )
    assert "Contents" not in found
