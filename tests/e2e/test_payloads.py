"""A megabyte in and out: stored in the bucket, and nowhere else on its way."""

import random
import string

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


def test_a_small_answer_is_kept_in_the_table(stack: Stack) -> None:
    job = stack.run(chat())
    found = stack.cloud.client("s3").list_objects_v2(
        Bucket=stack.physical("PayloadsBucket"), Prefix=f"jobs/{job['id']}"
    )
    assert "Contents" not in found
