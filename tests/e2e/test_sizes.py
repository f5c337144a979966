"""Answers that are too large for a reply: given out by a link, to their owner alone, as long as they are kept."""

import json
import random
import string
import urllib.request
import uuid
from typing import Any
from urllib.error import HTTPError

import pytest
from standardwebhooks import Webhook

from local.receiver import Receiver
from tests.e2e.stack import Stack, until

TEXTS, NUMBERS = 1_000, 3_072


def fetched(url: str) -> tuple[str, bytes]:
    """What a plain client gets: its media type and all of its bytes."""
    with urllib.request.urlopen(url, timeout=60) as reply:  # noqa: S310 - the embedded cloud
        return reply.headers["content-type"], reply.read()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    source = random.Random(5)
    words = ["".join(source.choices(string.ascii_lowercase, k=6)) for _ in range(3_000)]
    return [" ".join(source.choices(words, k=60)) for _ in range(TEXTS)]


def test_a_thousand_wide_embeddings_are_fetched_by_poll_wait_and_webhook(stack: Stack, texts: list[str]) -> None:
    body = {"task": "embed", "input": {"text": texts}, "model": "wide", "timeout_seconds": 600}
    with Receiver() as receiver:
        hook = {"url": receiver.url, "events": ["job.succeeded"]}
        answer = stack.api.submit({**body, "webhook": hook})
        assert answer.status == 202, answer.body
        polled = until(lambda: _ended(stack, answer.body["id"]), 240)
        assert polled["status"] == "succeeded", polled["error"]
        (arrived,) = receiver.wait(1, 60)
    waited = stack.api.call("GET", f"/jobs/{polled['id']}?wait=5").body
    told = Webhook(stack.seeded.webhook_secret).verify(arrived.body, arrived.headers)["data"]
    for shown in (polled, waited, told):
        media_type, data = fetched(shown["output_url"])
        assert (
            (media_type, len(data))
            == ("application/json", shown["output_bytes"])
            == (
                shown["output_media_type"],
                polled["output_bytes"],
            )
        )
    assert (polled["output"], polled["erased"], len(polled["attempts"])) == (None, False, 1)
    failed = [event["type"] for event in stack.history(polled["id"]) if event["type"].endswith("Failed")]
    # A process that has done other work may be too full for it. It then has one of its own, and that was enough.
    assert len(failed) <= 1
    vectors = json.loads(data)["embeddings"]
    assert [len(vectors), {len(each) for each in vectors}] == [TEXTS, {NUMBERS}]
    alone = stack.run({**body, "input": {"text": texts[777]}})
    assert alone["output"]["embeddings"] == [vectors[777]]


def test_a_link_is_for_the_owner_and_dies_with_the_answer(stack: Stack) -> None:
    large = stack.run(large_answer())
    assert large["status"] == "succeeded", large["error"]
    assert large["output"] is None
    assert stack.as_tenant("poor").call("GET", f"/jobs/{large['id']}").status == 404
    _, data = fetched(large["output_url"])
    assert json.loads(data)["text"].startswith("The lamp")
    assert stack.api.call("DELETE", f"/jobs/{large['id']}").status == 204
    with pytest.raises(HTTPError, match=r"40[34]"):
        fetched(large["output_url"])
    gone = stack.api.call("GET", f"/jobs/{large['id']}")
    assert (gone.status, gone.body["error"]["code"], gone.body["output_url"]) == (410, "erased", None)


def test_a_link_ends_with_the_time_of_the_answer(stack: Stack) -> None:
    large = stack.run(large_answer())
    stack.age(f"JOB#{large['id']}")
    gone = stack.api.call("GET", f"/jobs/{large['id']}")
    assert (gone.status, gone.body["error"]["code"], gone.body["output_url"]) == (410, "payload_expired", None)
    stack.clean()
    with pytest.raises(HTTPError, match=r"40[34]"):
        fetched(large["output_url"])


def test_a_large_turn_of_a_conversation_is_linked_too_and_goes_with_its_job(stack: Stack) -> None:
    name = f"talk-{uuid.uuid4().hex[:8]}"
    large = stack.run(large_answer(conversation_id=name))
    shown = stack.api.call("GET", f"/conversations/{name}/turns").body["data"]
    (turn,) = shown
    assert (turn["job_id"], turn["messages"]) == (large["id"], [])
    media_type, data = fetched(turn["messages_url"])
    assert (media_type, len(data)) == (turn["messages_media_type"], turn["messages_bytes"])
    assert [each["role"] for each in json.loads(data)] == ["user", "assistant"]
    assert stack.api.call("DELETE", f"/jobs/{large['id']}").status == 204
    with pytest.raises(HTTPError, match=r"40[34]"):
        fetched(turn["messages_url"])


def test_values_are_filled_into_a_large_answer_for_who_may_see_them(stack: Stack) -> None:
    discreet, reader = stack.as_tenant("discreet"), stack.as_tenant("discreet", scopes=["*", "pii:read"])
    large = stack.run(large_answer("Write to ada@example.com. "), discreet)
    _, held_back = fetched(large["output_url"])
    seen = reader.call("GET", f"/jobs/{large['id']}").body
    _, filled = fetched(seen["output_url"])
    assert (b"ada@example.com" in held_back, b"<EMAIL_1>" in held_back) == (False, True)
    assert (b"ada@example.com" in filled, b"<EMAIL_1>" in filled) == (True, False)
    assert len(filled) == seen["output_bytes"]
    assert discreet.call("DELETE", f"/jobs/{large['id']}").status == 204
    with pytest.raises(HTTPError, match=r"40[34]"):
        fetched(seen["output_url"])


def large_answer(words: str = "", **more: Any) -> dict[str, Any]:
    """A request that the door takes, and whose answer no reply has room for: a quotation mark has four bytes there."""
    text = f"The lamp. {words}" + 'The "keeper" slept. ' * 180_000
    return {"input": {"text": text}, "model": "echoes", "timeout_seconds": 200, **more}


def _ended(stack: Stack, job_id: str) -> Any:
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    return job if job["status"] not in ("queued", "running") else None
