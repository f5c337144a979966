"""The example registry on the stack of the demo: it adds to it, and changes nothing of what the demo's tenants get."""

import json
from pathlib import Path
from typing import Any

import pytest
from broker.cli.documents import read
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import Plan
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.routing.question import Question
from broker.routing.routes import Catalog
from broker.routing.selection import select
from broker.steps.token_counter import counter

from local.seeding import document
from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

FOLDER = Path(__file__).parents[2] / "examples" / "registry"
DEMO = json.loads(document("http://127.0.0.1:1", "arn:aws:iam::000000000000:role/batch"))
TASKS = sorted({task for model in DEMO["models"] for task in model["tasks"]})
QUERY_TYPES = [None, *sorted({row["query_type"] for row in DEMO["routes"] if "query_type" in row})]


def applied(*documents: Any) -> tuple[FakeDatabase, Plan]:
    tables = FakeDatabase()
    registry = Registry(tables, FakeTexts())
    plans = [apply(registry, parse_registry(each), by="tests", now=NOW) for each in documents]
    return tables, plans[-1]


def test_it_only_adds() -> None:
    _, plan = applied(DEMO, read(FOLDER))
    written = {(change.kind, change.entry.key) for change in plan.changes}
    assert written >= {("tenants", "acme"), ("routes", "default"), ("prompts", "reply")}
    assert not written & {(kind, each["id"]) for kind, entries in DEMO.items() for each in entries if "id" in each}


def test_the_demo_does_not_undo_it() -> None:
    """`make up` applies the demo's own again."""
    _, plan = applied(DEMO, read(FOLDER), DEMO)
    assert not plan.changes


@pytest.mark.parametrize("query_type", QUERY_TYPES)
@pytest.mark.parametrize("task", TASKS)
def test_each_kind_of_work_of_the_demo_goes_where_it_went(task: str, query_type: str | None) -> None:
    before, after = (Models(applied(*documents)[0]).catalog(NOW) for documents in ([DEMO], [DEMO, read(FOLDER)]))
    assert candidates(after, task, query_type) == candidates(before, task, query_type)


def candidates(catalog: Catalog, task: str, query_type: str | None) -> list[str]:
    request = {"task": task, "input": {"text": "A lamp."}, "parameters": {}}
    request["routing"] = {"query_type": query_type} if query_type else {}
    chosen = select(Question(request, counter(request), NOW, allowed=None, tenant="demo"), catalog)
    assert chosen.candidates
    return [each.id for each in chosen.candidates]
