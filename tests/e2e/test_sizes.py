"""Answers that are too large for a reply: given out by a link, to their owner alone, as long as they are kept."""

import json
import random
import string
import urllib.request
from typing import Any

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
    body = {"task": "embed", "input": {"text": texts}, "model": "wide", "timeout_seconds": 280}
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
    vectors = json.loads(data)["embeddings"]
    assert [len(vectors), {len(each) for each in vectors}] == [TEXTS, {NUMBERS}]
    alone = stack.run({**body, "input": {"text": texts[777]}})
    assert alone["output"]["embeddings"] == [vectors[777]]


def _ended(stack: Stack, job_id: str) -> Any:
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    return job if job["status"] not in ("queued", "running") else None
