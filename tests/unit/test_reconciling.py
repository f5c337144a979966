"""What the sweep does with a job that is due."""

import pytest
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile, send_soon

from tests.fakes.world import HOUR, MINUTE, NOW, a_head
from tests.unit.transitions_case import running

DAY_LATER = 24 * HOUR + MINUTE

TENDED = [
    ("past its deadline while queued", a_head(), HOUR, Status.EXPIRED, None),
    ("past its deadline while running", running(lease_until=NOW + 2 * HOUR), HOUR, Status.EXPIRED, None),
    ("sent", a_head(), MINUTE, Status.QUEUED, NOW + HOUR),
    ("sent, with days to its deadline", a_head(deadline_at=NOW + 99 * HOUR), MINUTE, Status.QUEUED, NOW + DAY_LATER),
    ("under its lease", running(lease_until=NOW + 2 * MINUTE), MINUTE, Status.RUNNING, NOW + 2 * MINUTE),
    ("with a dead run", running(), 2 * MINUTE, Status.QUEUED, NOW + 3 * MINUTE),
    ("with a third dead run", running(lease_expirations=2), 2 * MINUTE, Status.FAILED, None),
    (
        "with a run that never began",
        running(lease_expirations=2, execution=None),
        2 * MINUTE,
        Status.QUEUED,
        NOW + 3 * MINUTE,
    ),
]


@pytest.mark.parametrize(
    ("head", "later", "status", "due_at"), [each[1:] for each in TENDED], ids=[e[0] for e in TENDED]
)
def test_what_the_sweep_does_with_a_job(head: Head, later: int, status: Status, due_at: int | None) -> None:
    after = reconcile(head, now=NOW + later)
    assert (after.status, after.due_at, after.rev) == (status, due_at, head.rev + 1)


def test_the_sweep_counts_what_it_did() -> None:
    assert reconcile(a_head(), now=NOW + MINUTE).nudges == 1
    lost = reconcile(running(), now=NOW + 2 * MINUTE)
    assert (lost.lease_expirations, lost.lease_until, lost.claimed_by, lost.run) == (1, None, None, 1)
    assert (reconcile(running(lease_expirations=2), now=NOW + 2 * MINUTE).error or {})["code"] == "runs_exhausted"
    assert (reconcile(a_head(), now=NOW + HOUR).error or {})["code"] == "deadline_passed"


def test_a_dead_letter_brings_its_job_forward_and_each_time_by_less() -> None:
    dues = [send_soon(a_head(nudges=n, due_at=NOW + 24 * HOUR, deadline_at=NOW + 99 * HOUR), now=NOW) for n in range(9)]
    assert [(head.due_at or 0) - NOW for head in dues] == [MINUTE << n for n in range(6)] + [HOUR] * 3
    near = send_soon(a_head(nudges=8, due_at=NOW + 2 * MINUTE, deadline_at=NOW + 2 * MINUTE), now=NOW)
    assert near.due_at == NOW + 2 * MINUTE
