"""Comparing the arms of a prompt."""

from typing import Any

from broker.jobs.head import Status
from broker.prompts.experiments import SHARDS, compare, count

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, a_head


def end(database: FakeDatabase, number: int, version: int, status: Status, **used: Any) -> None:
    calls = {"1.1": {"m": "small", "r": 9_000, "c": 1_000 * version, "o": "succeeded"}}
    usage = {"input_tokens": 10, "output_tokens": 5 * version} if status is Status.SUCCEEDED else {}
    head = a_head(id=f"job_{number:032x}", status=status, calls=calls, usage=usage, ended_at=NOW + 500 * version)
    database.write(count(head, {"id": "p", "version": version, "label": "production", **used}))


def test_arms_stand_side_by_side() -> None:
    database = FakeDatabase()
    for number in range(40):
        end(database, number, 3, Status.FAILED if number % 4 == 0 else Status.SUCCEEDED)
    for number, status in enumerate((Status.SUCCEEDED, Status.BLOCKED, Status.CANCELED, Status.EXPIRED)):
        end(database, 100 + number, 4, status)
    end(database, 200, 3, Status.SUCCEEDED, label=None)
    end(database, 300, 3, Status.SUCCEEDED, id="other")
    shown = compare(database, "p")
    assert (shown["id"], shown["object"]) == ("p", "experiment")
    named, third, fourth = shown["arms"]
    assert (named["version"], named["label"], named["jobs"]) == (3, None, 1)
    assert third == {
        "version": 3,
        "label": "production",
        "jobs": 40,
        "succeeded": 30,
        "failed": 10,
        "blocked": 0,
        "other": 0,
        "success_rate": 0.75,
        "mean_cost_usd": 0.000003,
        "mean_input_tokens": 7.5,
        "mean_output_tokens": 11.2,
        "mean_seconds": 1.5,
    }
    assert (fourth["blocked"], fourth["other"], fourth["success_rate"]) == (1, 2, 0.5)
    assert len(database.query("ledger", "PROMPT#p")) <= 3 * SHARDS


def test_what_was_never_used_has_no_arms() -> None:
    assert compare(FakeDatabase(), "p")["arms"] == []


def test_only_other_ends_have_no_rate() -> None:
    database = FakeDatabase()
    end(database, 1, 3, Status.CANCELED)
    assert compare(database, "p")["arms"][0]["success_rate"] is None
