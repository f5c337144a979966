"""Batches near a provider's limit, in virtual time: `python -m bench batch` prints the same for larger ones."""

import pytest

from bench import batch as bench
from tests.fakes.world import MINUTE
from tests.unit.pacing_case import Batch, Bucket, Limited, bound_s, drained_s, gap

SMALL = 1_500


def test_a_batch_whose_limits_are_named_runs_near_them_without_a_refusal() -> None:
    provider = Limited(Bucket(10, 100), names_limits=True)
    batch = Batch(1_000, bench.rows(SMALL), provider=provider)
    heads = batch.run()
    assert {head.status.value for head in heads} == {"succeeded"}
    assert sum(batch.refused.values()) <= 0.02 * SMALL
    assert bound_s(SMALL, 10, 100, bench.LATENCY_S) / drained_s(batch) >= 0.85, (
        "the start is a larger part of a small one"
    )


def test_a_batch_whose_limits_nobody_names_runs_near_them_with_few_refusals() -> None:
    batch = Batch(1_000, bench.rows(SMALL), provider=Limited(Bucket(10, 100)))
    heads = batch.run()
    assert {head.status.value for head in heads} == {"succeeded"}
    assert sum(batch.refused.values()) <= 0.05 * SMALL
    assert bound_s(SMALL, 10, 100, bench.LATENCY_S) / drained_s(batch) >= 0.75


def test_two_tenants_with_rows_of_one_and_a_hundred_share_by_tokens() -> None:
    batch = bench.uneven(400)
    batch.run(2 * MINUTE)
    assert 0 < gap(batch, "light", "heavy") <= bench.MOST_GAP * 10_000
    assert {tenant for _, tenant, _ in batch.served} == {"light", "heavy"}


@pytest.mark.parametrize("rows", [0, 600])
def test_who_waits_for_an_answer_does_not_notice_a_batch(rows: int) -> None:
    batch = bench.beside(rows)
    batch.run(7 * MINUTE)
    waits = bench.waits_s(batch)
    assert waits[len(waits) * 95 // 100] <= 1.3 * 2.3, "alone it takes two seconds of the model, and three steps"
