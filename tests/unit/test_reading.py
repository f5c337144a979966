"""What is shown of a job: to its tenant only, without anything that was erased."""

from dataclasses import replace
from typing import Any

import pytest
from broker.clock import iso
from broker.errors import InvalidRequest, NotFound
from broker.jobs.erasing import erase
from broker.jobs.head import Head, Status
from broker.jobs.pages import page
from broker.jobs.reading import owned, timeline, view
from broker.jobs.searching import Wanted

from tests.fakes.questions import answers
from tests.fakes.world import BASE_URL, CHAT, HOUR, JOB_ID, NOW, World, a_head

THROTTLED = {"type": "throttled", "code": "throttled", "message": "Later."}
CALLS = {
    "1.1": {"m": "large", "r": 900, "c": 0, "o": "Throttled", "p": "no", "e": THROTTLED, "l": 20, "a": NOW + 20},
    "1.2": {"m": "small", "r": 700, "c": 500_000_000, "o": "succeeded", "p": "yes", "l": 20, "a": NOW + 40},
    "1.3": {"m": "small", "r": 1_000_000_000},
}


def finished() -> Head:
    return a_head(
        status=Status.SUCCEEDED,
        run=1,
        started_at=NOW + 10,
        ended_at=NOW + 50,
        model="small",
        output="OUTPUT#1.2",
        usage={"input_tokens": 3, "output_tokens": 4},
        calls=CALLS,
        webhook=("job.succeeded",),
        asked="auto",
        due_at=None,
    )


@pytest.fixture
def world() -> World:
    made = World()
    head = made.put(finished())
    made.payloads.save(head, "OUTPUT#1.2", {"text": "Fine."})
    made.jobs.note(head, "ROUTE#1", {"route": [{"model": "small", "taken": True, "why": "rank 1"}]})
    made.jobs.note(head, "GUARD#1#input", {"findings": [{"rule": "pii", "action": "note"}]})
    made.jobs.note(head, "GUARD#1#output", {"findings": [{"rule": "secrets", "action": "block"}]})
    made.jobs.note(head, "ASKED", {"metadata": {"order": "17"}, "webhook_url": "https://example.com/secret-path"})
    tried = {"at": NOW + 60, "status": 500, "error": None, "latency_ms": 3}
    delivery = {"event_id": head.event_id, "event": "job.succeeded", "state": "pending", "due_at": NOW + HOUR}
    made.jobs.note(head, "DELIVERY#job.succeeded", {**delivery, "attempts": [tried]})
    return made


ROUTE = [
    {"model": "large", "taken": False, "why": "has no capability vision"},
    {"model": "small", "taken": True, "why": "rank 1"},
    {"model": "spare", "taken": True, "why": "rank 2"},
    {"model": "vectors", "taken": False, "why": "does not do the task chat"},
]


@pytest.mark.parametrize(
    ("taken", "skipped", "short"),
    [
        ({"small", "spare"}, set(), ["small", "spare"]),
        ({"small"}, {"vectors"}, ["small", "vectors"]),
        (set(), set(), ["large", "small", "spare", "vectors"]),
    ],
)
def test_a_route_is_short_unless_it_took_none_or_the_whole_is_asked_for(
    world: World, taken: set[str], skipped: set[str], short: list[str]
) -> None:
    head = world.jobs.get(JOB_ID)
    world.jobs.note(head, "ROUTE#1", {"route": [row | {"taken": row["model"] in taken} for row in ROUTE]})
    for model in skipped:
        world.jobs.note(head, f"SKIPPED#1#{model}", {"model": model, "why": "its circuit is open"})
    notes = world.jobs.notes(JOB_ID)
    told = [row["model"] for row in view(head, notes, None, BASE_URL)["route"]]
    assert told == short
    whole = view(head, notes, None, BASE_URL, whole_route=True)["route"]
    assert [row["model"] for row in whole] == [row["model"] for row in ROUTE]


def test_the_view_shows_the_whole_job(world: World) -> None:
    shown = view(world.jobs.get(JOB_ID), world.jobs.notes(JOB_ID), {"text": "Fine."}, BASE_URL)
    assert (shown["id"], shown["object"], shown["status"], shown["task"]) == (JOB_ID, "job", "succeeded", "chat")
    assert (shown["model"], shown["output"], shown["error"]) == ("small", {"text": "Fine."}, None)
    assert (shown["created_at"], shown["started_at"]) == ("2026-11-18T11:06:40.000Z", "2026-11-18T11:06:40.010Z")
    assert shown["usage"] == {
        "input_tokens": 3,
        "output_tokens": 4,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": 0.5,
    }
    assert shown["route"] == [{"model": "small", "taken": True, "why": "rank 1"}]
    assert [(each["rule"], each["action"], each["score"]) for each in shown["guardrails"]] == [
        *(("pii", "flag", 1.0), ("secrets", "block", 1.0)),
    ]
    assert (shown["metadata"], shown["erased"]) == ({"order": "17"}, False)
    assert shown["urls"]["cancel"] == f"{BASE_URL}/jobs/{JOB_ID}/cancel"
    (delivery,) = shown["delivery"]
    assert (delivery["state"], delivery["next_at"]) == ("pending", "2026-11-18T12:06:40.000Z")
    assert delivery["attempts"][0]["at"] == "2026-11-18T11:06:40.060Z"


def test_the_view_shows_a_call_that_may_have_been_paid_for(world: World) -> None:
    shown = view(world.jobs.get(JOB_ID), world.jobs.notes(JOB_ID), None, BASE_URL)["attempts"]
    assert [(each["model"], each["outcome"], each["paid"], each["cost_usd"]) for each in shown] == [
        ("large", "Throttled", "no", 0),
        ("small", "succeeded", "yes", 0.5),
        ("small", "unknown", "unknown", 1),
    ]
    assert shown[0]["error"]["code"] == "throttled"


def test_attempts_are_shown_in_the_order_they_were_made() -> None:
    calls = {f"{run}.{number}": {"m": "a", "r": 1} for number, run in ((10, 2), (2, 1), (1, 1), (11, 2))}
    shown = view(a_head(calls=calls), {}, None, BASE_URL)["attempts"]
    assert [each["id"] for each in shown] == ["1.1", "1.2", "2.10", "2.11"]


def test_a_new_job_shows_what_was_asked_for() -> None:
    shown = view(a_head(asked="auto"), {}, None, BASE_URL)
    assert (shown["status"], shown["model"], shown["started_at"], shown["attempts"]) == ("queued", "auto", None, [])


def test_the_timeline_is_in_order(world: World) -> None:
    seen = timeline(world.jobs.get(JOB_ID), world.jobs.notes(JOB_ID))
    assert [each["event"] for each in seen] == [
        "job.accepted",
        "job.started",
        "attempt.ended",
        "attempt.ended",
        "job.succeeded",
        "delivery.attempted",
    ]
    assert seen[0] == {"at": "2026-11-18T11:06:40.000Z", "event": "job.accepted", "door": "rest"}
    assert seen[-2]["event_id"] == seen[-1]["event_id"] == finished().event_id
    assert [each["event"] for each in timeline(a_head(), {})] == ["job.accepted"]


def test_the_timeline_tells_that_circuits_keep_a_job_waiting() -> None:
    waited = {"run": 2, "started_at": NOW + 10, "waits": {"since": NOW + 20, "times": 2}, "due_at": NOW + 30}
    seen = timeline(a_head(**waited), {})
    assert [each["event"] for each in seen] == ["job.accepted", "job.started", "job.waiting"]
    assert (seen[-1]["at"], seen[-1]["times"], seen[-1]["until"]) == (iso(NOW + 20), 2, iso(NOW + 30))
    for later in ({"nudges": 1}, {"status": Status.RUNNING}):
        assert timeline(a_head(**waited, **later), {})[-1]["until"] is None


def test_a_job_is_shown_to_its_tenant_only(world: World) -> None:
    assert owned(world.jobs, JOB_ID, "acme").id == JOB_ID
    messages = set()
    for job_id, tenant in ((JOB_ID, "other"), ("job_none", "acme")):
        with pytest.raises(NotFound) as failure:
            owned(world.jobs, job_id, tenant)
        messages.add(failure.value.message)
    assert len(messages) == 1, "a foreign job must not differ from none"


def test_erasing_leaves_the_record_and_may_be_repeated(world: World) -> None:
    head = world.jobs.get(JOB_ID)
    for _ in range(2):
        erase(world.jobs, world.payloads, answers(world.database).forget, world.turns.erase_turn, head)
    assert world.payloads.names(JOB_ID) == []
    shown = view(world.jobs.get(JOB_ID), world.jobs.notes(JOB_ID), None, BASE_URL)
    assert (shown["metadata"], shown["erased"], shown["status"]) == ({}, True, "succeeded")
    assert shown["usage"]["cost_usd"] == 0.5


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_a_job_is_erased_after_its_end_only(status: Status) -> None:
    world = World()
    head = world.put(a_head(status=status))
    with pytest.raises(InvalidRequest) as failure:
        erase(world.jobs, world.payloads, answers(world.database).forget, world.turns.erase_turn, head)
    assert failure.value.code == "not_ended"
    assert world.prompt(JOB_ID) == CHAT["input"]


@pytest.fixture
def many() -> World:
    world = World()
    for number in range(7):
        status = Status.FAILED if number % 2 else Status.QUEUED
        world.put(a_head(id=f"job_{number}", created_at=NOW + number, status=status))
    world.put(a_head(id="job_x", tenant="other"))
    return world


def test_the_list_pages_newest_first(many: World) -> None:
    seen, cursor = [], None
    for _ in range(4):
        shown = page(many.jobs, "acme", BASE_URL, limit=3, cursor=cursor)
        assert len(shown["data"]) <= 3
        seen += [row["id"] for row in shown["data"]]
        cursor = shown["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"job_{number}" for number in range(6, -1, -1)]


def test_a_row_shows_no_payload(many: World) -> None:
    row = page(many.jobs, "acme", BASE_URL, limit=1, cursor=None)["data"][0]
    assert {"output", "metadata", "guardrails"}.isdisjoint(row)
    assert (row["id"], row["status"], row["created_at"]) == ("job_6", "queued", "2026-11-18T11:06:40.006Z")


def test_the_list_by_status(many: World) -> None:
    shown = page(many.jobs, "acme", BASE_URL, limit=100, cursor=None, wanted=Wanted(status="failed"))
    assert [row["id"] for row in shown["data"]] == ["job_5", "job_3", "job_1"]


def test_a_new_job_does_not_shift_the_pages(many: World) -> None:
    first = page(many.jobs, "acme", BASE_URL, limit=3, cursor=None)
    many.put(a_head(id="job_9"))
    second = page(many.jobs, "acme", BASE_URL, limit=3, cursor=first["next_cursor"])
    assert [row["id"] for row in second["data"]] == ["job_3", "job_2", "job_1"]


def test_a_job_that_its_ttl_deleted_is_left_out(many: World) -> None:
    many.database.delete("jobs", "JOB#job_5", "HEAD")
    shown = page(many.jobs, "acme", BASE_URL, limit=100, cursor=None)
    assert "job_5" not in [row["id"] for row in shown["data"]]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"cursor": "!!!"}, "cursor"),
        ({"cursor": "MTI="}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": ""}, "cursor"),
    ],
)
def test_a_bad_query_is_named(many: World, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        page(many.jobs, "acme", BASE_URL, **({"limit": 10, "cursor": None} | changes))
    assert failure.value.param == param


def test_a_cursor_never_shows_another_tenants_jobs(many: World) -> None:
    cursor = page(many.jobs, "acme", BASE_URL, limit=3, cursor=None)["next_cursor"]
    assert page(many.jobs, "other", BASE_URL, limit=3, cursor=cursor)["data"] == []


def test_the_error_is_shown() -> None:
    error = {"type": "refused", "code": "refused", "message": "No."}
    assert view(replace(finished(), status=Status.BLOCKED, error=error), {}, None, BASE_URL)["error"] == error


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        (None, None),
        (
            {"hit": False, "keys": [["small", "k"]]},
            {"hit": False, "kind": None, "age_seconds": None, "similarity": None, "saved_usd": None},
        ),
        (
            {"hit": True, "kind": "semantic", "age_ms": 61_999, "saved": 500_000_000, "similarity": 9312},
            {"hit": True, "kind": "semantic", "age_seconds": 61, "similarity": 0.9312, "saved_usd": 0.5},
        ),
    ],
)
def test_a_job_says_what_the_cache_spared(note: dict[str, Any] | None, shown: dict[str, Any] | None) -> None:
    assert view(a_head(), {"CACHE": note} if note else {}, None, BASE_URL)["cache"] == shown


def test_erasing_drops_what_the_job_gave_to_the_cache_and_asks_for_nothing_else(world: World) -> None:
    head = world.jobs.get(JOB_ID)
    forgotten: list[str] = []
    erase(world.jobs, world.payloads, forgotten.append, world.turns.erase_turn, head)
    assert forgotten == []
    world.jobs.note(head, "CACHE", {"hit": False})
    erase(world.jobs, world.payloads, forgotten.append, world.turns.erase_turn, head)
    assert forgotten == [JOB_ID]
