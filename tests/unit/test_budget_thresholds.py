"""A threshold of a budget is told once, on the bus, when the job that passed it has ended; it costs nothing before."""

import json
from typing import Any

import pytest
from broker.contract.events import event_models
from broker.delivery.publishing import HeadChange, Publish
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head
from broker.metrics import job_ended

from tests.fakes.bus import FakeBus
from tests.fakes.counting import CountingDatabase
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, NOW, World
from tests.unit.test_budget_rules import a_world, ask, usd

RULE: dict[str, Any] = {"id": "daily", "usd": usd(4), "period": "day", "warn_at": [50, 75, 100]}


def published(world: World, *, times: int = 1) -> list[tuple[str, dict[str, Any]]]:
    bus = FakeBus()
    publish = Publish(world.database, world.jobs, bus, FakeDeliveries(), BASE_URL, lambda head: None)
    changes = [
        HeadChange(str(place), Head.from_item(old) if old else None, Head.from_item(new))
        for place, (old, new) in enumerate(world.database.stream)
    ]
    for _ in range(times):
        assert publish(changes, NOW) is None
    return [event for event in bus.events if event[0] == "BudgetThresholdCrossed"]


def test_it_is_told_as_published_and_the_same_when_it_is_told_twice() -> None:
    world = a_world(RULE)
    for _ in range(3):
        cancel_job(world.jobs, ask(world).head.id, "acme", NOW)
    assert not published(world), "nothing of it is held or spent"
    heads = [ask(world).head for _ in range(4)]
    assert [list(head.crossed.values()) for head in heads] == [[], [50], [75], [100]]
    assert not published(world), "they go on"
    for head in heads:
        cancel_job(world.jobs, head.id, "acme", NOW)
    events = published(world, times=2)
    assert sorted(detail["data"]["percent"] for _, detail in events) == [50, 50, 75, 75, 100, 100]
    assert len({detail["metadata"]["event_id"] for _, detail in events}) == 3
    kind, detail = events[0]
    event_models()[kind].model_validate({"source": "inference.broker", "detail-type": kind, "detail": detail})
    assert detail["data"] | {"percent": 0, "job_id": ""} == {
        **{"budget": "daily", "percent": 0, "period": "2026-11-18"},
        **{"principal": "ci", "job_id": ""},
    }


def test_jobs_that_each_pass_none_do_not_tell_one_that_was_passed_before() -> None:
    world = a_world(RULE)
    first = [ask(world).head for _ in range(2)][-1]
    cancel_job(world.jobs, first.id, "acme", NOW)
    assert [ask(world).head.crossed for _ in range(1)] == [{}], "half is reached again"


def test_one_job_may_pass_several_and_tells_the_highest() -> None:
    world = a_world(RULE | {"usd": usd(1)})
    assert list(ask(world).head.crossed.values()) == [100]


def test_a_threshold_costs_nothing_until_it_is_reached() -> None:
    def cost(rule: dict[str, Any]) -> tuple[int, int, int]:
        world = World(database=CountingDatabase())
        plain = a_world(rule)
        for item in plain.database.items():
            world.register(item) if item["pk"].startswith(("TENANT", "MODEL")) else None
        accept = world.accepting()
        from broker.jobs.accepting import Caller
        from broker.jobs.request import parse_request

        body = parse_request({"model": "small", "input": {"text": "Hello"}})
        accept(body, Caller("acme", "ci", "rest", "c-1"), NOW)
        database = world.database
        assert isinstance(database, CountingDatabase)
        database.reads = database.requests = database.units = 0
        accept(body, Caller("acme", "ci", "rest", "c-2"), NOW)
        return database.reads, database.requests, database.units

    none = cost({"id": "far", "usd": 100, "period": "day"})
    assert cost({"id": "far", "usd": 100, "period": "day", "warn_at": [50]}) == none == (0, 1, 6)


def test_the_logs_tell_it_with_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    world = a_world(RULE | {"usd": usd(1)})
    head = ask(world).head
    cancel_job(world.jobs, head.id, "acme", NOW)
    job_ended(world.jobs.get(head.id))
    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines() if "job ended" in each]
    assert line["crossed"] == {"daily": 100}
