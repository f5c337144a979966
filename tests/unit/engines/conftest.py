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
    flow.world.register(
        a_model("judge", name="judge"),
        a_model("judge-2", name="judge-2"),
        a_model("shield", name="shield", tasks=["moderate"]),
        a_model("names", name="names", tasks=["entities"]),
        a_model("names-2", name="names-2", tasks=["entities"]),
    )
    return flow
