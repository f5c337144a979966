"""Batches near a provider's limit, in virtual time: `python -m bench batch` prints the same for larger ones."""

import pytest

from bench import batch as bench
from bench.batch_loads import least_s
from tests.fakes.world import MINUTE, SECOND
from tests.unit.pacing_case import Batch, drained_s, gap
from tests.unit.pacing_provider import Bucket, Limited

SMALL = 1_500


def drained(names: str) -> tuple[float, float]:
    """The part of the bound that a small batch reaches, and refused calls a row."""

    def providers() -> dict[str, Limited]:
        return {"small": Limited(Bucket(10, 100), names=names)}

    rows = bench.rows(SMALL)
    batch = Batch(1_000, rows, providers=providers())
    assert {head.status.value for head in batch.run()} == {"succeeded"}
    return least_s(rows, providers(), ()) / drained_s(batch), sum(batch.refused.values()) / SMALL


def test_a_batch_whose_limits_are_named_runs_near_them_without_a_refusal() -> None:
    part, refused = drained("openai")
    assert refused <= 0.02
    assert part >= 0.85, "the start is a larger part of a small one"


def test_a_batch_whose_limits_nobody_names_runs_near_them_with_few_refusals() -> None:
    part, refused = drained("")
    assert refused <= 0.05
    assert part >= 0.9


def test_two_tenants_with_rows_of_one_and_a_hundred_share_by_tokens() -> None:
    batch = bench.uneven(400)
    batch.run(2 * MINUTE)
    assert 0 < gap(batch, "light", "heavy", MINUTE + 5 * SECOND) <= bench.MOST_GAP * 10_000
    assert {tenant for _, tenant, _ in batch.served} == {"light", "heavy"}


@pytest.mark.parametrize("rows", [0, 600])
def test_who_waits_for_an_answer_does_not_notice_a_batch(rows: int) -> None:
    batch = bench.beside(rows)
    batch.run(7 * MINUTE)
    waits = bench.waits_s(batch)
    assert waits[len(waits) * 95 // 100] <= 1.3 * 2.3, "alone it takes two seconds of the model, and three steps"
