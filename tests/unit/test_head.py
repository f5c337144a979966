"""The head in its stored form."""

import json

from broker.cloud.attributes import encode_item
from broker.jobs.head import SHARDS, Head, Status, due_partition, job_id_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.world import JOB_ID, NOW, a_head

TIMES = st.none() | st.integers(0, 2**45)
TEXTS = st.none() | st.text(min_size=1, max_size=20)
CALL = st.fixed_dictionaries({"m": st.text(min_size=1, max_size=5), "r": st.integers(0, 10**12)})
HEADS = st.builds(
    a_head,
    status=st.sampled_from(Status),
    execution=TEXTS,
    claimed_by=TEXTS,
    started_at=TIMES,
    ended_at=TIMES,
    lease_until=TIMES,
    due_at=TIMES,
    webhook=st.lists(st.sampled_from(["job.failed", "job.succeeded"]), unique=True).map(tuple),
    calls=st.dictionaries(st.sampled_from(["1.1", "2.2"]), CALL),
    usage=st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), st.integers(0, 100)),
    error=st.none() | st.just({"type": "refused", "code": "refused", "message": "No."}),
    holds=st.dictionaries(st.sampled_from(["acme/2026-11", "acme:web/2026-11-29"]), st.integers(0, 2**60)),
    waits=st.just({}) | st.fixed_dictionaries({"since": st.integers(0, 2**45), "times": st.integers(1, 99)}),
)


@settings(max_examples=60)
@given(HEADS)
def test_reads_back_what_it_stores(head: Head) -> None:
    assert Head.from_item(head.to_item()) == head
    assert Head.from_item(json.loads(json.dumps(head.to_item()))) == head


@settings(max_examples=30)
@given(HEADS)
def test_only_what_is_due_is_in_the_due_index(head: Head) -> None:
    assert ("due" in head.to_item()) == (head.due_at is not None)


def test_a_busy_head_costs_one_write_unit() -> None:
    calls = {f"1.{n}": {"m": "some-models-long-name", "r": 10**7, "c": 10**6, "o": "succeeded"} for n in range(1, 4)}
    head = a_head(
        status=Status.SUCCEEDED,
        execution="arn:aws:states:us-east-1:123456789012:execution:inference:" + JOB_ID + "-1",
        calls=calls,
        webhook=("job.succeeded", "job.failed"),
        model="some-models-long-name",
        output="OUTPUT#1.3",
        started_at=NOW,
        ended_at=NOW,
        limit=10**9,
        holds={"acme/2026-11": 10**9},
        usage={"input_tokens": 1000, "output_tokens": 1000},
    )
    size = len(json.dumps(encode_item(head.to_item())))
    assert size < 2_048, "JSON with its type tags is about twice what DynamoDB counts"


def test_due_partitions_are_few_and_used() -> None:
    found = {due_partition(f"job_{number}") for number in range(500)}
    assert found == {f"DUE#{shard}" for shard in range(SHARDS)}


def test_a_key_names_its_job() -> None:
    assert job_id_of(a_head().to_item()) == JOB_ID


def test_each_status_is_told_under_one_id() -> None:
    ids = [a_head(status=status, run=1).event_id for status in Status]
    assert len(set(ids)) == len(ids)
    assert a_head(status=Status.FAILED, run=1).event_id == a_head(status=Status.FAILED, run=2, rev=9).event_id
    assert a_head(status=Status.RUNNING, run=1).event_id != a_head(status=Status.RUNNING, run=2).event_id


def test_only_a_job_that_circuits_kept_waiting_says_so() -> None:
    assert "waits" not in a_head().to_item()
