"""A tenant that does harm beside one that sends an ordinary batch: what the other gets of a model all the same.

Both have more than the model takes, ten calls a second. Alone the other would get all of them; beside a tenant as
honest as itself half; and beside each of these no less than two fifths, or, where the rows of the one are larger or
smaller than those of the other, no fewer tokens than that gets, but for a few rows.
"""

from collections.abc import Callable

import pytest
from broker.errors import NotCancelable
from broker.jobs.ending import cancel_job
from broker.jobs.kinds import FREE_KINDS, MOST_KINDS, Kinds

from tests.fakes.world import NOW, SECOND
from tests.unit.pacing_case import Batch, Row
from tests.unit.pacing_provider import Bucket, Limited

RATE, SHARE = 10, 0.4
BEGIN, END = 30 * SECOND, 90 * SECOND
NUMBER = 900
MOST_GAP = 2
"""Of the largest rows."""


def honest(tenant: str, number: int = NUMBER) -> list[Row]:
    """Rows of a thousand tokens."""
    return [Row(0, 2 * SECOND, tenant, "bulk", tokens=1_000, hold=1_000_000) for _ in range(number)]


def hostile(tokens: int = 1_000, hold: int = 1_000_000, kinds: bool = False, refused: bool = False) -> list[Row]:
    """Rows of one kind, or each of a kind of its own."""
    asked = [f"route-{number}" if kinds else "" for number in range(NUMBER)]
    sizes = {"tokens": tokens, "hold": hold}
    return [Row(0, 2 * SECOND, "hostile", "bulk", always_refused=refused, asked=each, **sizes) for each in asked]


HARM: dict[str, Callable[[], list[Row]]] = {
    "nothing": hostile,
    "rows that are always refused": lambda: hostile(refused=True),
    "rows that hold little and take much": lambda: hostile(tokens=20_000, hold=1),
    "rows that hold nothing": lambda: hostile(tokens=20_000, hold=0),
    "rows that hold much and take little": lambda: hostile(tokens=10, hold=20_000_000),
    "each row of a kind of its own": lambda: hostile(kinds=True),
    "each of its own, holding little and taking much": lambda: hostile(tokens=20_000, hold=1, kinds=True),
    "each of its own, and refused": lambda: hostile(kinds=True, refused=True),
}


def served(batch: Batch, tenant: str) -> int:
    """Tokens of a tenant in the minute that counts."""
    return sum(tokens for at, each, tokens in batch.served if each == tenant and BEGIN <= at - NOW < END)


def mixed(rows: list[Row]) -> list[Row]:
    """As they come in turns."""
    return [each for pair in zip(rows, honest("acme"), strict=True) for each in pair]


def provider() -> dict[str, Limited]:
    return {"small": Limited(Bucket(RATE, 2 * RATE))}


@pytest.mark.parametrize("harm", HARM)
def test_whatever_a_tenant_sends_the_other_keeps_its_share(harm: str) -> None:
    batch = Batch(1_000, mixed(HARM[harm]()), providers=provider())
    batch.run(END)
    least = SHARE * RATE * 1_000 * (END - BEGIN) / SECOND
    largest = max(row.tokens for row in batch.jobs.values() if isinstance(row, Row))
    assert served(batch, "acme") >= min(least, served(batch, "hostile") - MOST_GAP * largest)


def test_a_tenant_that_cancels_all_that_it_sent_keeps_nobody_from_the_model() -> None:
    batch = Batch(1_000, mixed(hostile()), providers=provider())

    def cancel_all() -> None:
        for job_id, row in batch.jobs.items():
            if row.tenant == "hostile":
                try:
                    cancel_job(batch.world.jobs, job_id, "hostile", batch.now)
                except NotCancelable:  # it had ended
                    continue

    batch.at(NOW + 20 * SECOND, cancel_all)
    batch.run(END)
    assert served(batch, "acme") >= SHARE * RATE * 1_000 * (END - BEGIN) / SECOND


def test_a_tenant_that_names_many_models_is_not_tried_by_each_and_one_that_names_few_is() -> None:
    kinds = Kinds()
    for number in range(FREE_KINDS + 1):
        kinds.tried(("hostile", "chat", f"route-{number}"))
    kinds.went_to(("hostile", "chat", "route-0"), "small", answered=True)
    assert kinds.model(("hostile", "chat", "another")) == "small"
    kinds.tried(("acme", "chat", "mine"))
    assert kinds.model(("acme", "chat", "mine")) is None
    assert not kinds.are_many("acme")


def test_of_a_kind_that_is_new_the_model_is_guessed_that_answered_others_who_asked_so() -> None:
    """Else it would go as to a model of which nothing is known, past all who wait for that model."""
    kinds = Kinds()
    kinds.went_to(("other", "chat", "auto"), "small", answered=True)
    assert kinds.model(("acme", "chat", "auto")) == "small"
    assert kinds.model(("acme", "embed", "auto")) is None
    kinds.went_to(("acme", "chat", "auto"), "large", answered=True)
    assert kinds.model(("acme", "chat", "auto")) == "large"
    kinds.went_to(("hostile", "chat", "auto"), "closed", answered=False)
    assert kinds.model(("newcomer", "chat", "auto")) == "large", "what did not answer is no guess"


def test_kinds_of_one_tenant_do_not_push_out_those_of_another() -> None:
    kinds = Kinds()
    kinds.took(("acme", "chat", "auto"), 5_000, 0)
    for number in range(3 * MOST_KINDS):
        kinds.took(("hostile", "chat", f"route-{number}"), 1, 0)
    assert kinds.expected(("acme", "chat", "auto"), 0) == 5_000
    assert kinds.expected(("acme", "chat", "another"), 0) == 5_000, "as its jobs take in the mean"
