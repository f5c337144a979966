"""A deployment with engines of each sort."""

import pytest

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.stage import Stage
from tests.fakes.world import a_model


@pytest.fixture
def judging() -> Judging:
    return Judging()


@pytest.fixture
def flow(judging: Judging) -> Flow:
    flow = Flow(stage=Stage(provider=judging))
    tasks = {
        "judge": ["chat"],
        "judge-2": ["chat"],
        "shield": ["moderate"],
        "names": ["entities"],
        "names-2": ["entities"],
    }
    for engine, does in tasks.items():
        flow.world.register(a_model(engine, name=engine, tasks=does, by_name_only=True))
    return flow
