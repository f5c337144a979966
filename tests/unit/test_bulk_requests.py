"""What a bulk may ask, what it names where it is at fault, and which request a retry is of."""

from typing import Any

import pytest
from broker.batches.shard import row_job_id
from broker.bulk.request import parse_bulk
from broker.context.conversations import Turn
from broker.errors import InvalidRequest
from broker.jobs.head import Status
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.world import MINUTE, NOW
from tests.unit.bulk_case import BulkWorld


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"action": "delete", "filter": {"status": "failed"}}, "action"),
        ({"action": "cancel"}, "filter"),
        ({"action": "cancel", "filter": {}}, "filter"),
        ({"action": "cancel", "filter": {"colour": "blue"}}, "filter.colour"),
        ({"action": "cancel", "filter": {"status": "failed"}}, "filter.status"),
        ({"action": "retry", "filter": {"status": ["failed", "succeeded"]}}, "filter.status"),
        ({"action": "retry", "filter": {"status": "blocked"}}, "filter.status"),
        ({"action": "cancel", "filter": {"tag": {"key": "a"}}}, "filter.tag.value"),
        ({"action": "cancel", "filter": {"created_before": "yesterday"}}, "filter.created_before"),
        ({"action": "cancel", "filter": {"created_after": "2026-01-01T00:00:00"}}, "filter.created_after"),
    ],
)
def test_what_is_at_fault_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failed:
        parse_bulk(body)
    assert failed.value.param == param


def test_a_retry_is_of_the_prompt_that_the_job_was_filled_from() -> None:
    world = BulkWorld()
    rules: dict[str, Any] = {"id": "tell", "user": "Tell of {{thing}}.", "postprocess": {"trim": True}}
    apply(world.world.registry(), parse_registry({"prompts": [rules]}), by="tests", now=world.now)
    failed = world.job(Status.FAILED, input={}, prompt={"id": "tell", "variables": {"thing": "lamps"}})
    changed = {**rules, "user": "Say nothing of {{thing}}."}
    apply(world.world.registry(), parse_registry({"prompts": [changed]}), by="tests", now=world.now + MINUTE)
    world.done("retry", status="failed")
    (again,) = world.retries(failed)
    first, second = (world.world.payloads.load(each.id, "BODY") for each in (failed, again))
    assert second["input"] == first["input"]
    assert second["prompt_used"] == first["prompt_used"]
    assert second.get("postprocess") == first.get("postprocess")
    assert again.prompt == failed.prompt


def test_a_retry_recalls_the_turns_of_its_conversation_anew() -> None:
    world = BulkWorld()
    turns = world.world.turns
    asked, answered = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The keeper."}
    turns.keep("acme", "c1", Turn("job_1", NOW, 5, [asked, answered]), NOW // 1000 + 86_400)
    failed = world.job(Status.FAILED, input="And when?", conversation_id="c1")
    turns.keep("acme", "c1", Turn("job_2", NOW, 5, [{**asked, "content": "Where?"}, answered]), NOW // 1000 + 86_400)
    world.done("retry", status="failed")
    (again,) = world.retries(failed)
    first, second = (
        [message["content"] for message in world.world.payloads.load(each.id, "BODY")["input"]["messages"]]
        for each in (failed, again)
    )
    assert first == ["Who?", "The keeper.", "And when?"]
    assert second == ["Who?", "The keeper.", "Where?", "The keeper.", "And when?"]
    assert again.conversation == "c1"


def test_rows_of_a_batch_are_found_by_how_they_ended() -> None:
    flow = Flow()
    flow.put(jsonl(*(chat(f"Row {n}") for n in range(120))))
    flow.plan()
    flow.run()
    flow.tend_all()
    heads = flow.jobs()
    for head in heads:
        flow.end(head, Status.FAILED if (head.row or 0) % 40 == 7 else Status.SUCCEEDED)
    flow.publish()
    world = BulkWorld(world=flow.world, now=flow.now + MINUTE)
    batch = flow.batch()
    shown = world.done("retry", batch=batch.id)
    failed = {row_job_id(batch.id, batch.created_at, row) for row in (7, 47, 87)}
    assert shown["counts"]["done"] == 3
    assert {head.retry_of for head in world.heads() if head.retry_of} == failed
    assert all(head.batch is None for head in world.heads() if head.retry_of), "the batch counts its own rows alone"
