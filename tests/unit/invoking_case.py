"""What tests of Invoke Model share."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from broker.jobs.ending import cancel_job
from broker.jobs.head import Head

from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW

COST = 10 + 2 * 20
"""Of `ANSWER`, with a model's default prices."""


def claimed_again(head: Head) -> Head:
    return replace(head, rev=head.rev + 1, run=2, execution=None)


ENDINGS: list[Callable[[Stage], Any]] = [
    lambda stage: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW),
    lambda stage: stage.world.jobs.change(JOB_ID, claimed_again),
]
