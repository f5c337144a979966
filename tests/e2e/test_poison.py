"""One poison record sinks no other: a careless tenant's request that hangs, among those of a good one.

What hangs is a write to the table, whenever a word of the request is in it (`broker.cloud.fault_injection`).
"""

import json
import uuid
from typing import Any

from broker.batches.rows.tries import TRIES
from broker.jobs.store import Jobs

from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, until

WORD = "never-to-an-end"
HANGS = chat(metadata={"order": WORD})
CARELESS = "crashing"
PATIENCE_S = 180


def correlated(stack: Stack, tenant: str) -> set[str]:
    """The ids of the events that the newest jobs of a tenant came with."""
    heads, _ = Jobs(stack.database, ()).of_tenant(tenant, limit=50, cursor=None)
    return {head.correlation_id for head in heads}


def dead(stack: Stack) -> list[str]:
    """The ids of events among the dead letters."""
    queue = stack.physical("IntakeDeadLetters")
    found = stack.cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"])["id"] for message in found.get("Messages", [])]


def test_of_ten_events_of_which_one_hangs_nine_become_jobs(stack: Stack) -> None:
    sqs, intake = stack.cloud.client("sqs"), stack.physical("IntakeQueue")
    changed = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(QueueUrl=intake, AttributeNames=changed)["Attributes"]
    once = json.dumps({**json.loads(before["RedrivePolicy"]), "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=intake, Attributes={"VisibilityTimeout": "60", "RedrivePolicy": once})
    sqs.purge_queue(QueueUrl=stack.physical("IntakeDeadLetters"))  # of what crashes left there: ten are seen at a time
    ids = [str(uuid.uuid4()) for _ in range(10)]
    poison, good = ids[3], {*ids[:3], *ids[4:]}
    try:
        with stack.faults(f"hang:{WORD}", ["Intake"]):
            with stack.disabled("IntakeFunction"):
                for event_id in ids:
                    source, detail = (
                        ("tests.crashing", HANGS) if event_id == poison else ("tests.orders", chat(event_id))
                    )
                    body = {"id": event_id, "account": "000000000000", "source": source, "detail": detail}
                    sqs.send_message(QueueUrl=intake, MessageBody=json.dumps(body))
            assert until(lambda: good <= correlated(stack, "demo"), PATIENCE_S), "at the first time they are received"
            assert until(lambda: poison in dead(stack), PATIENCE_S), "given up for good, and kept for a person to see"
        assert not good & set(dead(stack))
        assert poison not in correlated(stack, CARELESS)
    finally:
        sqs.set_queue_attributes(QueueUrl=intake, Attributes=before)
        sqs.purge_queue(QueueUrl=stack.physical("IntakeDeadLetters"))


def test_of_three_lines_of_which_one_hangs_two_become_jobs_and_the_file_ends(stack: Stack) -> None:
    files = Files(stack)
    lines = [chat("Summarize: one."), HANGS, chat("Summarize: three.")]
    with stack.faults(f"hang:{WORD}", ["BatchRows"]):
        _ends(stack, files, files.put("poison.jsonl", "\n".join(map(json.dumps, lines)), CARELESS))


def _ends(stack: Stack, files: Files, key: str) -> None:
    batch_ids: set[str | None] = set()

    def ended() -> bool:
        heads, _ = Jobs(stack.database, ()).of_tenant(CARELESS, limit=10, cursor=None)
        done = [head for head in heads if head.line in (1, 3) and head.row is not None and head.status.terminal]
        batch_ids.update(head.batch for head in done)
        return len(done) == 2

    assert until(ended, PATIENCE_S), "the others do not wait for it"
    (batch_id,) = batch_ids
    # The last try now, and not in some minutes.
    last: dict[str, Any] = {"batch_id": batch_id, "shard": 0, "goes_on": {"tries": TRIES, "lines": [1]}}
    stack.cloud.client("sqs").send_message(QueueUrl=stack.physical("ShardsQueue"), MessageBody=json.dumps(last))
    one, two, three = files.rows(key, PATIENCE_S)
    assert (one["job"]["status"], three["job"]["status"]) == ("succeeded", "succeeded")
    assert two["error"]["code"] == "line_failed"
