"""What a tenant's jobs used: exactly what was booked, by what it wants to know, and nothing of another tenant."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.call_transitions import start_call
from broker.jobs.ending import settle_job
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Fence, Outcome
from broker.registry.document import parse_registry
from broker.rest.http import Reply
from broker.tenants.usage import MOST_DIMENSIONS

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import NOW, World
from tests.unit.rest_door import Door
from tests.unit.test_budget_rules import ask

DAY = 86_400_000
TODAY, MONTH = "2026-11-18", "2026-11"


def a_door(*usage_by: str) -> Door:
    door = Door()
    (entry,) = parse_registry({"tenants": [{"id": "acme", "usage_by": list(usage_by)}]}).tenants
    door.world.register(entry.item())
    return door


def end(world: World, head: Head, cost: int = 7, model: str = "small", paid: str = "yes") -> None:
    """Let it call a model and end."""
    fence = Fence(1, "e-1", None, NOW, "m-1")
    keys: list[str] = []

    def start(current: Head) -> Head:
        after, key = start_call(current, fence, model=model, reserve=cost, now=NOW, lease_ms=60_000)
        keys.append(key)
        return after

    known = world.jobs.change(head.id, start)
    facts = {"model": model, "latency_ms": 1, "ended_at": NOW, "cost": cost, "outcome": "succeeded", "paid": paid}
    facts |= {"input_tokens": 10, "output_tokens": 3}
    settle_job(world.jobs, known, fence, Outcome(Status.SUCCEEDED), NOW, {keys[0]: facts})


def used(door: Door, tenant: str = "acme", **query: str) -> Any:
    whole = {"from": "2026-11-01", "to": "2026-11-30"} | {name.rstrip("_"): value for name, value in query.items()}
    reply: Reply = door("GET", "/usage", query=whole, tenant=tenant, scopes="usage:read")
    return reply.body


def short(body: Any) -> list[tuple[str, str, int | None, int, float]]:
    return [(row["period"], row["value"], row["jobs"], row["calls"], row["cost_usd"]) for row in body["data"]]


def test_months_by_model_are_told_of_every_tenant() -> None:
    door = a_door()
    door.world.register({**(door.world.database.get("registry", "TENANT#other", "TENANT") or {}), "models": ["small"]})
    for model, cost in (("small", 7), ("large", 100), ("small", 5)):
        end(door.world, ask(door.world).head, cost, model)
    end(door.world, ask(door.world, tenant="other").head, 1)
    rows = used(door)
    assert short(rows) == [(MONTH, "large", None, 1, 1e-7), (MONTH, "small", None, 2, 1.2e-8)]
    assert rows["data"][1]["input_tokens"] == 20 and rows["by"] == "model"
    assert short(used(door, "other")) == [(MONTH, "small", None, 1, 1e-9)]


def test_days_are_counted_by_what_the_tenant_wants() -> None:
    door = a_door("user", "tag:team", "task", "key", "model")
    end(door.world, ask(door.world, user="ann", metadata={"team": "a#b"}, key="k-1").head, 7)
    end(door.world, ask(door.world, user="ann", key="k-1").head, 5, "large", "unknown")
    end(door.world, ask(door.world, user="bob", now=NOW + DAY).head, 1)
    assert short(used(door, by="user")) == [
        (TODAY, "ann", 2, 2, 1.2e-8),
        ("2026-11-19", "bob", 1, 1, 1e-9),
    ]
    assert [row[:3] for row in short(used(door, by="tag:team"))] == [
        *[(TODAY, "-", 1), (TODAY, "a#b", 1)],
        ("2026-11-19", "-", 1),
    ]
    assert [row[:3] for row in short(used(door, by="task"))] == [(TODAY, "chat", 2), ("2026-11-19", "chat", 1)]
    assert [row[1] for row in short(used(door, by="key"))] == ["k-1", "-"]
    models = used(door, by="model", to=TODAY)["data"]
    assert [(row["value"], row["jobs"], row["unknown_usd"]) for row in models] == [("large", 0, 5e-9), ("small", 0, 0)]


def test_another_tenant_sees_nothing_of_it() -> None:
    door = a_door("user")
    (entry,) = parse_registry({"tenants": [{"id": "other", "usage_by": ["user"]}]}).tenants
    door.world.register(entry.item())
    end(door.world, ask(door.world, user="ann").head)
    assert used(door, "other", by="user")["data"] == []


def test_pages_have_each_row_once() -> None:
    door = a_door("user")
    odd = ["a", "a#1", "a#b", "a%23b", "50 %", "a$", "ä", "~", "u 1", "#"]
    for number in range(25):
        user = odd[number % 10] if number < 20 else "a"
        end(door.world, ask(door.world, user=user, now=NOW + number % 3 * DAY).head)
    whole = short(used(door, by="user"))
    found, cursor = [], None
    while True:
        page = used(door, by="user", limit="4", **({"cursor": cursor} if cursor else {}))
        found += short(page)
        assert len(page["data"]) <= 4
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == whole and sum(row[2] or 0 for row in whole) == 25
    assert len({row[:2] for row in whole}) == len(whole) and {row[1] for row in whole} == set(odd)
    assert used(door, by="user", from_="9999-01-01", to="9999-12-31")["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"by": "user"}, "by"),
        ({"from_": "2026-13-01"}, "from"),
        ({"to": "20261130"}, "to"),
        ({"from_": "2026-12-01"}, "from"),
        ({"from_": "2020-01-01"}, "from"),
        ({"by": "task", "limit": "0"}, "limit"),
        ({"by": "task", "cursor": "x"}, "cursor"),
        ({"by": "task", "cursor": "2020-01-01#x"}, "cursor"),
        ({"by": "task", "from_": "2024-01-01"}, "from"),
    ],
)
def test_what_makes_no_sense_is_told_by_name(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        used(a_door("task"), **query)
    assert failure.value.param == param


@pytest.mark.parametrize("wanted", ["teams", "tag:", "tag", "day", "a" * 80])
def test_what_cannot_be_counted_is_not_taken(wanted: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_registry({"tenants": [{"id": "acme", "usage_by": [wanted]}]})
    with pytest.raises(InvalidRequest):
        parse_registry({"tenants": [{"id": "acme", "usage_by": ["tag:x"] * (MOST_DIMENSIONS + 1)}]})


@pytest.mark.parametrize(("usage_by", "units"), [((), 0), (("user",), 2), (("user", "task", "model"), 6)])
def test_each_costs_two_write_units_when_a_job_ends_and_nothing_before(usage_by: tuple[str, ...], units: int) -> None:
    def cost(wanted: tuple[str, ...]) -> tuple[int, int]:
        door = a_door(*wanted)
        world = World(database=CountingDatabase())
        for item in door.world.database.items():
            world.register(item)
        database = world.database
        assert isinstance(database, CountingDatabase)
        database.units = 0
        head = ask(world, user="ann").head
        accepted, database.units = database.units, 0
        end(world, head)
        return accepted, database.units

    plain, counted = cost(()), cost(usage_by)
    assert counted[0] == plain[0] and counted[1] - plain[1] == units
