"""Kept as long as promised, gone when promised: payloads by their own time, the record for longer."""

import random
import string
import uuid

from broker.jobs.head import job_pk

from local.listening import Listener
from tests.e2e.stack import Stack, chat, until


def large(seed: int) -> str:
    """A text that does not fit the table."""
    return "".join(random.Random(seed).choices(string.ascii_letters, k=600_000))


def objects(stack: Stack, *prefixes: str) -> list[str]:
    listing = stack.cloud.client("s3").get_paginator("list_objects_v2")
    pages = (
        page for prefix in prefixes for page in listing.paginate(Bucket=stack.physical("PayloadsBucket"), Prefix=prefix)
    )
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def test_objects_end_with_their_jobs_time_and_another_tenants_stay(stack: Stack) -> None:
    other = stack.as_tenant("noting")
    talk = f"talk-{uuid.uuid4().hex[:8]}"
    body = {"input": {"text": large(1)}, "model": "echoes", "conversation_id": talk}
    mine, theirs = stack.run(body), stack.run(body, other)
    assert [mine["status"], theirs["status"]] == ["succeeded"] * 2, (mine["error"], theirs["error"])
    places = [f"jobs/{mine['id']}/", f"conversations/demo/{talk}/"]
    others = [f"jobs/{theirs['id']}/", f"conversations/noting/{talk}/"]
    assert [len(objects(stack, *places)), len(objects(stack, *others))] == [3, 3]
    stack.clean()
    assert len(objects(stack, *places)) == 3, "their time is not over"
    for partition in (job_pk(mine["id"]), f"CONV#demo#{talk}"):
        stack.age(partition)
    gone = stack.api.call("GET", f"/jobs/{mine['id']}")
    assert (gone.status, gone.body["error"]["code"]) == (410, "payload_expired"), "before its objects are deleted, too"
    assert stack.clean()["objects"] >= 3
    assert [len(objects(stack, *places)), len(objects(stack, *others))] == [0, 3]
    gone = stack.api.call("GET", f"/jobs/{mine['id']}")
    assert (gone.status, gone.body["status"], gone.body["usage"]) == (410, "succeeded", mine["usage"])
    assert other.call("GET", f"/jobs/{theirs['id']}").body["output"] == theirs["output"]
    assert stack.api.call("GET", f"/conversations/{talk}/turns").status == 404
    assert stack.api.call("DELETE", f"/jobs/{mine['id']}").status == 204


def test_a_picture_ends_with_its_jobs_time(stack: Stack) -> None:
    job = stack.run({"task": "generate_image", "input": {"text": "A lamp."}})
    assert job["status"] == "succeeded", job["error"]
    assert objects(stack, f"jobs/{job['id']}/")
    stack.age(job_pk(job["id"]))
    stack.clean()
    assert objects(stack, f"jobs/{job['id']}/") == []
    assert stack.api.call("GET", f"/jobs/{job['id']}").status == 410


def test_an_answer_whose_object_is_gone_is_no_error_of_ours(stack: Stack) -> None:
    job = stack.run({"input": {"text": large(2)}, "model": "echoes"})
    bucket, s3 = stack.physical("PayloadsBucket"), stack.cloud.client("s3")
    for key in objects(stack, f"jobs/{job['id']}/"):
        s3.delete_object(Bucket=bucket, Key=key)
    assert stack.api.call("GET", f"/jobs/{job['id']}").status == 410


def test_a_job_whose_prompt_is_gone_still_ends_is_told_and_found_by_its_key(stack: Stack) -> None:
    key = f"kept-{uuid.uuid4()}"
    body = chat(ttl_seconds=60, deadline_seconds=1, metadata={"order": "17"})
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard, stack.nothing_dispatched():
        job_id = stack.api.submit(body, idempotency_key=key).body["id"]
        stack.age(job_pk(job_id))

        def expired() -> bool:
            stack.sweep()
            return bool(stack.api.call("GET", f"/jobs/{job_id}").body["status"] == "expired")

        assert until(expired)
        assert heard.wait("JobExpired", lambda detail: detail["data"]["job_id"] == job_id)
    again = stack.api.submit(body, idempotency_key=key)
    assert (again.status, again.body["id"], again.body["status"]) == (200, job_id, "expired")
    assert stack.api.call("GET", f"/jobs/{job_id}").body["metadata"] == {"order": "17"}


def test_a_short_life_is_taken_without_a_deadline(stack: Stack) -> None:
    job = stack.run(chat(ttl_seconds=60))
    assert job["status"] == "succeeded", job["error"]
