"""A deployment with engines of each sort."""

import pytest

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.stage import Stage
from tests.fakes.world import a_model


@pytest.fixture
def flow() -> Flow:
    flow = Flow(stage=Stage(provider=Judging()))
    flow.world.register(
        a_model("judge", name="judge"),
        a_model("judge-2", name="judge-2"),
        a_model("shield", name="shield", tasks=["moderate"]),
        a_model("names", name="names", tasks=["entities"]),
    )
    return flow
