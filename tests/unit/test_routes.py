"""The routes: who may call which, what they answer of jobs, and what headers ask for."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.bootstrap import adapters, doors, running
from broker.cloud import clients
from broker.errors import InvalidRequest, NotFound
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status
from broker.jobs.store import Jobs
from broker.observability import logger
from broker.rest.api import MOST_WAIT_S, ROUTES
from broker.rest.http import Reply, Request
from broker.rest.waiting import preferred_wait
from handlers.api import handler

from tests.fakes.world import BASE_URL, JOB_ID, NOW, a_head
from tests.unit.rest_door import BODY, Door


@pytest.mark.parametrize("route", [("GET", "/"), ("GET", "/jobs/"), ("GET", "/job"), ("GET", "")])
def test_what_is_no_route(route: tuple[str, str]) -> None:
    error = Door().fails(*route)
    assert (type(error), error.code) == (NotFound, "unknown_route")


PING = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}'

NO_FILE = ("no_such_file", "no_such_upload")


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_every_route_needs_its_scope(route: tuple[str, str]) -> None:
    needed, _ = ROUTES[route]
    every = {scope for scope, _ in ROUTES.values()}
    error = Door().fails(*route, BODY, scopes=" ".join(every - {needed}))
    assert (error.status, error.code) == (403, "missing_scope")
    assert needed in error.message
    door = Door()
    door.world.put(a_head())
    try:
        body = PING if route[1] == "/mcp" else BODY
        assert door(*route, body, scopes=needed).status < 300
    except InvalidRequest as refused:
        # The door was open all the same.
        known = (
            "not_ended",
            "unknown_prompt",
            "no_conversation",
            "no_item",
            "invalid_form",
            "invalid_field",
            "not_found",
            "unknown_model",
            "unsupported",
            *NO_FILE,
        )
        assert refused.code in known


@pytest.mark.parametrize("route", [route for route in ROUTES if "/jobs/{id}" in route[1]], ids=" ".join)
def test_another_tenants_job_is_not_there(route: tuple[str, str]) -> None:
    door = Door()
    door.world.put(a_head())
    theirs = door.fails(*route, tenant="other")
    missing = door.fails(*route, job_id="job_none")
    assert (theirs.status, theirs.facts()) == (404, missing.facts())
    assert door.redelivered == []


def test_a_job_is_taken() -> None:
    door = Door()
    reply = door("POST", "/jobs", BODY)
    job_id = reply.body["id"]
    assert (reply.status, reply.headers) == (202, {"location": f"{BASE_URL}/jobs/{job_id}", "retry-after": "1"})
    assert [head.id for head in door.world.queue.sent] == [job_id]
    assert door("GET", "/jobs/{id}", job_id=job_id).body["status"] == "queued"
    assert [row["id"] for row in door("GET", "/jobs").body["data"]] == [job_id]
    assert door("GET", "/jobs", tenant="other").body["data"] == []


def test_a_repeat_says_so() -> None:
    door = Door()
    first = door("POST", "/jobs", BODY, idempotency_key='"one"')
    again = door("POST", "/jobs", BODY, idempotency_key="one")
    assert first.body["id"] == again.body["id"]
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert door("POST", "/jobs", BODY, idempotency_key="one", tenant="acme").body["id"] == first.body["id"]
    assert door.fails("POST", "/jobs", BODY, idempotency_key='""').param == "Idempotency-Key"
    assert door.fails("POST", "/jobs", BODY, idempotency_key="k" * 256).param == "Idempotency-Key"


def test_a_wait_ends_with_the_job() -> None:
    door = Door()
    job_id = door("POST", "/jobs", BODY, idempotency_key="one").body["id"]
    cancel_job(door.world.jobs, job_id, "acme", NOW)
    reply = door("POST", "/jobs", BODY, idempotency_key="one", prefer="wait=25")
    assert (reply.status, reply.body["status"]) == (200, "canceled")
    assert reply.headers["preference-applied"] == "wait=25"
    assert door("GET", "/jobs/{id}", job_id=job_id, query={"wait": "25"}).body["status"] == "canceled"


def test_a_wait_that_is_over_is_a_job_that_goes_on() -> None:
    reply = Door()("POST", "/jobs", BODY, prefer="wait=1")
    assert (reply.status, reply.body["status"]) == (202, "queued")


HELD = {"state": "held", "stage": "input", "rules": ["words"], "since": NOW}


class Held(Jobs):
    """Jobs that are held when they are looked at again, `left` times; then they are released, and end."""

    left = 0

    def get(self, job_id: str) -> Head:
        self.left -= 1
        head = super().get(job_id)
        return replace(head, review=HELD) if self.left >= 0 else replace(head, status=Status.BLOCKED, ended_at=NOW)


@pytest.mark.parametrize("route", [("POST", "/jobs"), ("GET", "/jobs/{id}")])
def test_a_wait_ends_when_a_person_has_to_look(route: tuple[str, str]) -> None:
    door = Door()
    door.world.put(a_head())
    door.world.jobs = held = Held(door.world.database, ())
    held.left = 1
    reply = door(*route, BODY, query={"wait": "25"}, prefer="wait=25")
    assert (reply.body["status"], reply.body["review"]["state"], held.left) == ("queued", "held", 0)
    assert reply.status == (202 if route[0] == "POST" else 200)


def test_a_repeat_for_a_held_job_is_answered_at_once() -> None:
    door = Door()
    job_id = door("POST", "/jobs", BODY, idempotency_key="one").body["id"]
    door.world.jobs.change(job_id, lambda head: head.next(review=HELD))
    door.world.jobs = held = Held(door.world.database, ())
    assert door("POST", "/jobs", BODY, idempotency_key="one", prefer="wait=25").body["review"]["state"] == "held"
    assert held.left == 0, "nobody looked again"


def test_a_long_poll_of_a_held_job_waits_for_what_becomes_of_it() -> None:
    """Answered at once, a client's loop of long polls would have no pause."""
    door = Door()
    door.world.put(a_head(review=HELD))
    door.world.jobs = held = Held(door.world.database, ())
    held.left = 3
    reply = door("GET", "/jobs/{id}", query={"wait": "25"})
    assert (reply.body["status"], held.left) == ("blocked", -1)


class Unseen(Jobs):
    """Jobs that nobody may look at again."""

    def get(self, job_id: str) -> Head:
        raise AssertionError("its time was over before it began to wait")


@pytest.mark.parametrize("route", [("POST", "/jobs"), ("GET", "/jobs/{id}")])
def test_a_wait_counts_from_when_the_function_got_the_call(route: tuple[str, str]) -> None:
    door = Door()
    door.world.put(a_head())
    door.world.jobs = Unseen(door.world.database, ())
    reply = door(*route, BODY, query={"wait": "25"}, prefer="wait=25", ago_s=25)
    assert reply.body["status"] == "queued", "the gateway would have cut a longer wait, of an accepted job"


@pytest.mark.parametrize("query", [{"wait": "26"}, {"wait": "-1"}, {"wait": ""}, {"wait": "9" * 5000}])
def test_a_long_poll_has_a_limit(query: dict[str, str]) -> None:
    door = Door()
    door.world.put(a_head())
    assert door.fails("GET", "/jobs/{id}", query=query).param == "wait"


def test_an_empty_cursor_is_none() -> None:
    door = Door()
    door("POST", "/jobs", BODY)
    listed = door("GET", "/jobs", query={"cursor": ""}).body
    assert listed == door("GET", "/jobs").body
    assert len(listed["data"]) == 1


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"status": "done"}, {"cursor": "!"}]
)
def test_a_list_names_the_field_at_fault(query: dict[str, str]) -> None:
    assert Door().fails("GET", "/jobs", query=query).param == next(iter(query))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("wait=5", 5),
        ("Wait=5", 5),
        ("respond-async, wait=10", 10),
        ("respond-async,wait=10;foo=bar", 10),
        ("wait= 7", 7),
        ("wait=100", MOST_WAIT_S),
        ("wait=0", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-5", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait=x, wait=3", 3),
        ("await=5", 0),
        ("handling=strict", 0),
    ],
)
def test_a_preference(header: str, seconds: int) -> None:
    assert preferred_wait(header) == seconds


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ("abc", "abc"),
        ('"abc"', "abc"),
        (' "a b" ', "a b"),
        ('"', '"'),
        ('""', ""),
        ("", ""),
        ('"a', '"a'),
    ],
)
def test_forms_of_an_idempotency_key(header: str | None, key: str | None) -> None:
    headers = {} if header is None else {"idempotency-key": header}
    request = Request("POST", "/jobs", {}, {}, headers, None, "acme", "ci", frozenset(), "req-1", BASE_URL)
    assert request.idempotency_key == key


def test_the_smaller_routes() -> None:
    door = Door()
    door.world.put(a_head())
    assert door("POST", "/jobs/{id}/redeliver").body == {"object": "redelivery", "ids": ["evt_1"]}
    assert door.redelivered == [JOB_ID]
    assert door("GET", "/jobs/{id}/events").body["data"][0]["event"] == "job.accepted"
    assert door("POST", "/jobs/{id}/cancel").body["status"] == "canceled"
    assert door("DELETE", "/jobs/{id}") == Reply(204, None)
    assert door("GET", "/jobs/{id}").body["erased"] is True
    assert door.world.payloads.names(JOB_ID) == []


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process without most of the function's environment."""
    built = [
        each
        for each in (*vars(adapters).values(), *vars(doors).values(), *vars(running).values(), clients.client)
        if hasattr(each, "cache_clear")
    ]
    for each in built:
        each.cache_clear()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("CORS_ORIGIN", "")
    monkeypatch.setenv("PUBLIC_URL", "")
    for name in ("JOBS_TABLE", "REGISTRY_TABLE", "LEDGER_TABLE", "CACHE_TABLE"):
        monkeypatch.delenv(name, raising=False)
    yield
    for each in built:
        each.cache_clear()


def context(who: dict[str, str]) -> dict[str, Any]:
    """What API Gateway says of a call of the stage's own domain."""
    return {"requestId": "req-1", "authorizer": who, "apiId": "a1", "domainName": "a1.example.com", "path": "/v1/x"}


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize("origin", ["", "https://app.example.com"])
def test_a_page_of_the_origin_that_is_allowed_may_read_even_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("CORS_ORIGIN", origin)
    who = {"tenant": "acme", "principal": "ci", "scopes": "*"}
    event = {"httpMethod": "GET", "resource": "/models", "headers": {"Origin": "https://evil.example.com"}}
    reply = handler(event | {"requestContext": context(who)}, None)
    assert reply["statusCode"] == 500
    assert reply["headers"].get("access-control-allow-origin", "") == origin


@pytest.mark.usefixtures("nothing_built")
def test_an_unexpected_error_is_told_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in logger()._logger.handlers:
        monkeypatch.setattr(each, "stream", sys.stdout)
    who = {"tenant": "acme", "principal": "ci", "scopes": "*"}
    event = {"httpMethod": "POST", "resource": "/jobs", "body": '{"input": {"text": "the prompt"}}', "headers": {}}
    reply = handler(event | {"requestContext": context(who)}, None)
    assert (reply["statusCode"], reply["headers"]["x-request-id"]) == (500, "req-1")
    error = json.loads(reply["body"])["error"]
    assert (error["type"], error["request_id"]) == ("internal_error", "req-1")
    assert "_TABLE" not in reply["body"] and "KeyError" not in reply["body"]
    said = capsys.readouterr().out
    assert "unexpected error" in said and '"error":"KeyError"' in said and "the prompt" not in said


def test_links_are_made_for_whoever_looks_and_kept_nowhere() -> None:
    door, theirs = Door(), "https://proxy.example.net/x"
    job = door("POST", "/jobs", BODY, idempotency_key="k-1", base_url=theirs)
    assert job.headers["location"] == f"{theirs}/jobs/{job.body['id']}"
    again = door("POST", "/jobs", BODY, idempotency_key="k-1")
    assert again.headers["location"] == again.body["urls"]["get"] == f"{BASE_URL}/jobs/{job.body['id']}"
    looked = door("GET", "/jobs/{id}", job_id=job.body["id"]).body["urls"].values()
    listed = door("GET", "/jobs").body["data"][0]["urls"].values()
    assert all(url.startswith(BASE_URL) for url in (*looked, *listed))
    assert "example.net" not in str(door.world.database.items()) + str(door.world.queue.sent)


def test_a_look_is_refused_before_it_waits_where_it_asks_for_what_there_is_not() -> None:
    door = Door()
    job_id = door("POST", "/jobs", BODY).body["id"]
    refused = door.fails("GET", "/jobs/{id}", job_id=job_id, query={"include": "routes", "wait": "25"})
    assert (refused.status, refused.param) == (400, "include")
    assert door("GET", "/jobs/{id}", job_id=job_id, query={"include": "route"}).status == 200
