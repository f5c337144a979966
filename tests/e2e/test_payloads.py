"""A megabyte in and out: stored in the bucket, and nowhere else on its way."""

import random
import string
import uuid

import pytest

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
    assert stack.api.call("GET", f"/conversations/{name}/turns").status == 404


@pytest.mark.parametrize("key", [None, "k"], ids=["without a key", "with a key"])
@pytest.mark.parametrize("size", [20, 600_000], ids=["small", "large"])
def test_a_request_that_is_refused_for_its_budget_is_not_kept(stack: Stack, key: str | None, size: int) -> None:
    poor = stack.as_tenant("poor")
    text = "".join(random.Random(size).choices(string.ascii_letters, k=size))
    body = {"input": {"text": text}, "model": "dear", "metadata": {"order": "17"}}
    before = _inputs(stack)
    named = {"idempotency_key": f"{key}-{uuid.uuid4()}"} if key else {}
    for _ in range(2):
        answer = poor.submit(body, **named)
        assert (answer.status, answer.body["error"]["type"]) == (402, "budget_exceeded")
    assert _inputs(stack) <= before


def _inputs(stack: Stack) -> set[str]:
    """What is kept of requests, in the table and in the bucket."""
    pages = stack.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=stack.physical("JobsTable"))
    items = {item["pk"]["S"] for page in pages for item in page["Items"] if item["sk"]["S"] == "BODY"}
    listing = stack.cloud.client("s3").get_paginator("list_objects_v2")
    found = listing.paginate(Bucket=stack.physical("PayloadsBucket"), Prefix="jobs/")
    return items | {each["Key"] for page in found for each in page.get("Contents", [])}


def test_a_small_answer_is_kept_in_the_table(stack: Stack) -> None:
    job = stack.run(chat())
    found = stack.cloud.client("s3").list_objects_v2(
        Bucket=stack.physical("PayloadsBucket"), Prefix=f"jobs/{job['id']}"
    )
    assert "Contents" not in found
