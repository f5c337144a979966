"""What a plain job takes, by counts that no machine changes: AWS requests, write units, log bytes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from broker.cloud.payloads import PayloadStore
from broker.cloud.workflows import facts_of
from broker.delivery.publishing import HeadChange, Publish
from broker.jobs.accepting import Caller
from broker.jobs.dispatching import dispatch
from broker.jobs.head import Head
from broker.jobs.reading import looked_at, view
from broker.jobs.request import parse_request
from broker.metrics import job_ended, provider_called
from broker.routing.at_once import AtOnce
from broker.routing.credentials import KeyLimits
from broker.steps.admitting import Admission
from broker.steps.advancing import Advance
from broker.steps.calling import Calling
from broker.steps.context import Run
from broker.steps.exchanging import Exchange
from broker.steps.guarding import Guard
from broker.steps.invoking import InvokeModel
from broker.steps.keys import Keys
from broker.steps.selecting import SelectModel
from broker.steps.shortening import Shorten
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants
from handlers.step import step

from tests.fakes.bus import FakeBus
from tests.fakes.circuits import FakeCircuits
from tests.fakes.counting import CountingDatabase
from tests.fakes.provider import FakeProvider
from tests.fakes.queue import FakeDeliveries
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, NOW, World, a_model

REQUESTS = 13
WRITE_UNITS = 14
LOG_BYTES = 1_500
"""Of the five steps and of the job's end, without what CloudWatch adds to a line."""

EXECUTION = "arn:aws:states:eu-central-1:123456789012:express:broker:job-1:7d5a3b1c-0f5e-4a53-b6f0-2f6f6f1c1a2b"
CONTEXT = SimpleNamespace(aws_request_id="7d5a3b1c-0f5e-4a53-b6f0-2f6f6f1c1a2b")
PAGE = " ".join(f"The keeper of lamp {number} distrusted it, then slept." for number in range(12))


@dataclass
class Plain:
    """A broker whose processes are warm, and one job after the other through all of it."""

    database: CountingDatabase = field(default_factory=CountingDatabase)
    bus: FakeBus = field(default_factory=FakeBus)
    world: World = field(init=False)
    guardrails: dict[str, Any] = field(default_factory=dict)
    """A rule of a policy that the tenant names; it has the built-in ones, unless said."""
    others: int = 0
    """Requests to other services than DynamoDB."""

    def __post_init__(self) -> None:
        self.world = World(self.database)
        self.world.register(*[a_model(f"some-model-{number}", rank=number) for number in range(15)])
        self.world.tenant(monthly_budget=10**12, guardrails=["own"] if self.guardrails else [])
        self.world.register({"pk": "GUARDRAIL#own", "sk": "GUARDRAIL", "rules": [self.guardrails]})
        self.payloads: Any = PayloadStore(self.database, "jobs", "bucket", _never, _never, lambda: NOW)
        self.world.payloads = self.payloads
        world, health = self.world, FakeCircuits()
        tenants, models = Tenants(self.database), world.models()
        guard = Guard(world.jobs, self.payloads, tenants, Policies(world.database), _never)
        share = Stage(world=World()).share()
        admission = Admission(health, AtOnce(world.database))
        exchange = Exchange(world.jobs, self.payloads, lambda name: FakeProvider(), admission, provider_called)
        calling = Calling(
            world.jobs,
            self.payloads,
            str,
            lambda run: None,
            admission,
            exchange,
            Keys(admission, KeyLimits(world.database)),
        )  # type: ignore[arg-type, return-value]
        shorten = Shorten(world.jobs, self.payloads, models, tenants, calling, lambda: world.turns)
        invoke = InvokeModel(world.jobs, self.payloads, models, calling, shorten, share, health)
        lookup: Any = lambda *asked: {}  # noqa: E731 - no job of these asks for the cache
        select = SelectModel(world.jobs, self.payloads, models, tenants, lookup, health)
        advance = Advance(world.jobs, invoke)
        settle = settling_of(world, payloads=self.payloads)
        self.accept = world.accepting()

        def _check_input(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return guard.check_input(run, NOW)

        def _select_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return select(run, NOW)

        def _invoke_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return advance(run, event["candidates"], 0, NOW)

        def _moderate_output(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return guard.moderate_output(run, event["output"], NOW)

        def _settle_job(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return {"status": settle(run, event["ending"], NOW + 9).status}

        works = (_check_input, _select_model, _invoke_model, _moderate_output, _settle_job)
        self.steps: list[Callable[[Any, Any], Any]] = [step(work) for work in works]

    def __call__(self) -> dict[str, Any]:
        """Submit, run, publish, and look at it once."""
        world, seen = self.world, len(self.database.stream)
        caller = Caller("acme", "key:1", "rest", "7d5a3b1c-0f5e-4a53-b6f0-2f6f6f1c1a2b")
        head = self.accept(parse_request({"input": {"text": PAGE}}), caller, NOW).head
        self.others += len(world.queue.sent)
        (sent,) = world.queue.sent
        world.queue.sent.clear()
        claimed = dispatch(world.jobs, world.workflows, head.id, "m-1", NOW, sent)
        assert claimed is not None
        self.others += 1
        run: dict[str, Any] = json.loads(json.dumps(facts_of(claimed, sent))) | {"execution": EXECUTION}
        check, select, invoke, moderate, settle = self.steps
        checked = check(run, CONTEXT)
        assert not checked["blocked"]
        run |= {"redacted": checked.get("redacted")}
        chosen = select(run, CONTEXT)
        run |= {"route": chosen["route"]}
        answer = invoke(run | {"candidates": chosen["candidates"]}, CONTEXT)["answer"]
        run |= {"head": None}
        assert not moderate(run | {"output": answer["output"]}, CONTEXT)["blocked"]
        assert settle(run | {"ending": {"answer": answer}}, CONTEXT)["status"] == "succeeded"
        self._publish(seen)
        found, notes, item = looked_at(world.jobs, head.id, "acme")
        return view(found, notes, self.payloads.load(head.id, found.output or "", item), BASE_URL, whole_route=True)

    def _publish(self, seen: int) -> None:
        """As the stream's filter lets it through: news, without progress."""
        publish = Publish(self.database, self.world.jobs, self.bus, FakeDeliveries(), BASE_URL, job_ended)
        changes = [
            HeadChange("1", Head.from_item(old) if old else None, Head.from_item(new))
            for old, new in self.database.stream[seen:]
            if "news" in new and "ended_at" in new
        ]
        assert publish(changes, NOW) is None
        self.others += len(self.bus.events)


def test_a_redaction_costs_a_write_and_a_read_beside_what_any_finding_costs() -> None:
    counted = []
    for action in ("flag", "redact"):
        plain = Plain(guardrails={"check": "denied_terms", "action": action, "terms": ["keeper"]})
        plain()
        database = plain.database
        database.reads = database.requests = database.units = 0
        plain()
        counted.append((database.reads, database.requests, database.units))
    (reads, requests, units), redacting = counted
    # What is left of a request is written beside it with its mapping; here both are below a kilobyte.
    assert redacting == (reads + 1, requests + 1, units + 1)


def _never(*_: Any) -> Any:
    raise AssertionError("a plain job fits the table, and needs no key")


def test_a_plain_job_keeps_its_budget(capsys: pytest.CaptureFixture[str]) -> None:
    plain = Plain()
    plain()  # from now on registries are read and the budget's period is open
    capsys.readouterr()
    plain.bus.events.clear()
    database, plain.others = plain.database, 0
    database.reads = database.requests = database.units = 0
    job = plain()
    written = capsys.readouterr().out
    assert (job["status"], len(job["route"]), len(job["attempts"])) == ("succeeded", 15, 1)
    assert database.reads + database.requests + plain.others <= REQUESTS
    assert database.units <= WRITE_UNITS
    assert len(written.encode()) <= LOG_BYTES
    assert len(written.splitlines()) == 6, "one for each step, and one for the end"
