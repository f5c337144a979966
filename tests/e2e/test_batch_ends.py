"""What is told of batches on the embedded cloud, webhooks of theirs, and rows that ask the same."""

from typing import Any

import pytest
from standardwebhooks import Webhook

from local.listening import Listener
from local.receiver import Receiver
from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat, until


@pytest.fixture(scope="module")
def demo(stack: Stack) -> BatchesOf:
    """Of the tenant that has a webhook secret."""
    found = BatchesOf.__new__(BatchesOf)
    found.stack, found.tenant, found.api = stack, "demo", stack.api
    return found


def rows(*texts: str) -> list[dict[str, Any]]:
    return [chat(f"Summarize: {text}.", model="answers", custom_id=f"r-{row}") for row, text in enumerate(texts)]


def test_its_begin_and_its_end_are_told_on_the_bus_and_by_a_signed_webhook(demo: BatchesOf, stack: Stack) -> None:
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard, Receiver(answers=[503]) as receiver:
        batch_id = demo.submit(requests=[*rows("a", "b"), chat("x", model="no-such")], webhook={"url": receiver.url})
        ended = demo.ended(batch_id)

        def of_it(detail: dict[str, Any]) -> bool:
            return bool(detail["data"].get("batch_id") == batch_id)

        completed = heard.wait("BatchCompleted", of_it)
        first, second = receiver.wait(2, 90)
    assert completed is not None
    data = completed["detail"]["data"]
    assert (data["status"], data["total"], data["counts"]["rejected"]) == ("completed", 3, 1)
    assert (data["output_file_id"], data["error_file_id"]) == (ended["output_file_id"], ended["error_file_id"])
    assert data["usage"].items() <= ended["usage"].items(), "which has more, for OpenAI's clients"
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    body = Webhook(stack.seeded.webhook_secret).verify(second.body, second.headers)
    assert (body["type"], body["data"]["id"]) == ("batch.completed", batch_id)
    told = until(lambda: [each for each in demo.shown(batch_id)["delivery"] if each["state"] == "delivered"])
    assert [each["status"] for each in told[0]["attempts"]] == [503, 204]

    with Receiver() as again:
        answer = stack.api.call("POST", f"/batches/{batch_id}/redeliver")
        assert (answer.status, answer.body["ids"]) == (202, [told[0]["id"]])
        assert again.received == [], "it goes to the address of then, not to whoever listens now"


def test_rows_that_ask_the_same_are_paid_once(stack: Stack) -> None:
    mine = BatchesOf(stack, "same-rows")
    texts = ["one", "two", "one", "three", "one", "two"] * 20
    batch_id = mine.submit(requests=rows(*texts), dedupe=True)
    ended = mine.ended(batch_id)
    assert ended["request_counts"] == {"total": 120, "completed": 120, "failed": 0}
    assert ended["duplicates"] == 117
    lines = mine.lines(batch_id)
    assert [line["custom_id"] for line in lines] == [f"r-{row}" for row in range(120)]
    assert len({line["job"]["id"] for line in lines}) == 3
    by_text = {text: lines[texts.index(text)]["job"]["output"] for text in ("one", "two", "three")}
    assert [line["job"]["output"] for line in lines] == [by_text[text] for text in texts]
    paid = sum(round(line["job"]["usage"]["cost_usd"] * 1e9) for line in lines if line.get("duplicate_of") is None)
    assert paid == round(ended["usage"]["cost_usd"] * 1e9) == mine.spent() > 0
