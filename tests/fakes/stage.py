"""A job that runs, a provider, and the step between them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from broker.cache.single_flight import Flights
from broker.errors import BrokerError
from broker.jobs.head import Head
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.routing.at_once import AtOnce
from broker.routing.credentials import KeyLimits
from broker.steps.admitting import Admission
from broker.steps.calling import Calling
from broker.steps.context import Run
from broker.steps.exchanging import Exchange
from broker.steps.invoking import InvokeModel
from broker.steps.keys import Keys
from broker.steps.shortening import Shorten
from broker.steps.single_flight import SingleFlight
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.media import FakeMedia
from tests.fakes.provider import ANSWER, FakeProvider
from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import HOUR, JOB_ID, NOW, World, a_head, a_model


class Mute:
    """A provider that cannot be asked after its work."""

    tasks = frozenset({"chat"})

    def invoke(self, call: Call) -> Answer:
        """Answer at once."""
        return ANSWER


@dataclass
class Stage:
    """A job that runs, and a provider."""

    hold: int = 0
    timeout_s: int = 120
    world: World = field(default_factory=World)
    provider: FakeProvider = field(default_factory=FakeProvider)
    circuits: FakeCircuits = field(default_factory=FakeCircuits)
    media: FakeMedia = field(default_factory=FakeMedia)
    observed: list[dict[str, Any]] = field(default_factory=list)
    noticed: list[tuple[str, str]] = field(default_factory=list)
    """Faults of our own: what, and the job."""
    lane: str = "interactive"
    secret: Callable[[str], str] = lambda name: f"secret of {name}"
    run: Run = field(init=False)

    def __post_init__(self) -> None:
        self.world.register(a_model("small", secret="key"), a_model("large", context_window=200_000))
        deadline = NOW + max(HOUR, 2 * self.timeout_s * 1000)
        times = {"timeout_s": self.timeout_s, "deadline_at": deadline}
        queued = self.world.put(a_head(limit=self.hold, lane=self.lane, **times))
        self.run = self.world.start_first(queued)

    def __call__(self, model: str = "small", run: Run | None = None, now: int = NOW) -> dict[str, Any]:
        """One call of the step."""
        return self.invoke()(run or self.next(), model, now)

    def next(self) -> Run:
        """The run as the workflow tells it: to the first call with the head."""
        mine, self.run = self.run, replace(self.run, head=None)
        return mine

    def invoke(self) -> InvokeModel:
        """The step, as a fresh process builds it."""
        world = self.world
        admission = Admission(self.circuits, AtOnce(world.database), self._notice)
        exchange = Exchange(
            world.jobs,
            world.payloads,
            {"fake": self.provider, "rekognition": self.provider, "mute": Mute()}.__getitem__,
            admission,
            lambda head, facts: self.observed.append(facts),
            self._notice,
        )
        keys = Keys(admission, KeyLimits(world.database), self._notice)
        known = world.jobs, world.payloads, self.secret, lambda run: self.media
        calling = Calling(*known, admission, exchange, keys)
        tenants = Tenants(world.database)
        shorten = Shorten(world.jobs, world.payloads, world.models(), tenants, calling, lambda: world.turns)
        return InvokeModel(world.jobs, world.payloads, world.models(), calling, shorten, self.share(), self.circuits)

    def _notice(self, what: str, job: Head | Run, error: Exception) -> None:
        self.noticed.append((what, job.id))

    def share(self) -> SingleFlight:
        """Sharing, as a fresh process builds it."""
        database = self.world.database
        lookup = cache_lookup_of(self.world)
        return SingleFlight(self.world.payloads, Tenants(database), Policies(database), Flights(database), lookup)

    def fails(self, error: BrokerError, model: str = "small") -> BrokerError:
        """Let the provider fail, and give what comes out."""
        self.provider.script.append(error)
        with pytest.raises(type(error)) as failure:
            self(model)
        return failure.value

    def fails_with(self, kind: type[BrokerError], answer: Answer | OperationStarted | BrokerError) -> BrokerError:
        """Let the provider answer so, and give the error that comes out."""
        self.provider.script.append(answer)
        with pytest.raises(kind) as failure:
            self()
        return failure.value

    @property
    def head(self) -> Head:
        return self.world.jobs.get(JOB_ID)
