"""What tests of settling begin with: how a step tells the workflow of an error, and the step."""

from typing import Any

from broker.errors import BrokerError
from broker.jobs.head import Head
from broker.steps.context import Run

from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import NOW


def failure(error: BrokerError) -> dict[str, Any]:
    """What a step tells the workflow."""
    return {"failure": error.failure()}


def settle(stage: Stage, ending: dict[str, Any], run: Run | None = None, now: int = NOW + 5) -> Head:
    return settling_of(stage.world)(run or stage.run, ending, now)
