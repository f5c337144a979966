"""Calls that no route takes: each is told by its name what becomes of it."""

from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, NotFound
from broker.rest.http import Request

from tests.fakes.world import a_head
from tests.unit.rest_door import BODY, Door
from tests.unit.test_http import event


def elsewhere(door: Door, method: str, path: str, **more: Any) -> Any:
    """The call as API Gateway hands it on."""
    return door(method, "/{proxy+}", proxy=path.lstrip("/"), **more)


def refused(method: str, path: str) -> BrokerError:
    with pytest.raises(BrokerError) as failure:
        elsewhere(Door(), method, path)
    return failure.value


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/threads", "`conversation`"),
        ("POST", "/threads/thread_1/runs/run_2/cancel", "use responses"),
        ("POST", "/audio/translations", "`transcribe`"),
        ("POST", "/responses/compact", "`context`"),
        ("GET", "/chat/completions/chatcmpl-1/messages", "/v1/jobs/"),
        ("DELETE", "/models/small", "operators"),
        ("POST", "/chat/completions/chatcmpl-1", "metadata"),
        ("GET", "/chat/completions", "`GET /v1/jobs`"),
    ],
)
def test_a_call_that_packages_know_is_refused_by_its_name(method: str, path: str, said: str) -> None:
    error = refused(method, path)
    assert (type(error), error.status, error.code) == (InvalidRequest, 400, "unsupported_call")
    assert error.message.startswith(f"{method} /v1{path} is not supported") and said in error.message


def test_a_path_that_is_very_long_is_named_in_short() -> None:
    assert len(refused("GET", "/threads/" + "x" * 8000).message) < 500


@pytest.mark.parametrize(
    "path", ["/nowhere", "/job", "/jobs/job_1/nothing", "/jobs//cancel", "/../jobs", "/a" * 500, "/{proxy+}", "//"]
)
def test_a_path_that_nobody_knows_is_not_there(path: str) -> None:
    error = refused("GET", path)
    assert (type(error), error.status, error.code) == (NotFound, 404, "unknown_route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/jobs/job_1", "DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/jobs/job_1/cancel", "OPTIONS, POST"),
        ("HEAD", "/estimates", "OPTIONS, POST"),
        ("POST", "/openapi.json", "GET, OPTIONS"),
        ("HEAD", "/docs", "GET, OPTIONS"),
    ],
)
def test_another_method_than_the_path_has_is_told_which_it_has(method: str, path: str, allowed: str) -> None:
    reply = elsewhere(Door(), method, path)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert reply.body["error"]["code"] == "method_not_allowed"
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/batches/estimate"), ("GET", "/jobs/bulk")])
def test_what_has_the_name_of_another_route_is_looked_for_all_the_same(method: str, path: str) -> None:
    error = refused(method, path)
    assert (error.status, error.code) == (404, "not_found")


def test_a_head_looks_as_a_get_does_and_waits_for_nothing() -> None:
    door = Door()
    door.world.put(a_head())
    path = f"/jobs/{a_head().id}"
    reply = elsewhere(door, "HEAD", path, query={"wait": "25"})
    assert (reply.status, reply.headers["retry-after"]) == (200, door("GET", "/jobs/{id}").headers["retry-after"])
    assert reply.proxy("r-1")["body"] == ""


def test_a_head_needs_what_its_get_needs() -> None:
    door = Door()
    door.world.put(a_head())
    path = f"/jobs/{a_head().id}"
    for options, status in (({"tenant": "other"}, 404), ({"scopes": "jobs:write"}, 403)):
        with pytest.raises(BrokerError) as failure:
            elsewhere(door, "HEAD", path, **options)
        assert failure.value.status == status


def test_nothing_is_done_for_a_method_that_the_path_has_not() -> None:
    door = Door()
    door.world.put(a_head())
    for method in ("PUT", "PATCH"):
        elsewhere(door, method, f"/jobs/{a_head().id}", body=BODY)
        elsewhere(door, method, "/jobs", body=BODY)
    assert door.world.queue.sent == [] and len(door("GET", "/jobs").body["data"]) == 1


def test_links_of_a_head_hang_on_the_same_base() -> None:
    called = event(resource="/{proxy+}", pathParameters={"proxy": "jobs/job_1"})
    assert Request.of(called).base_url == Request.of(event()).base_url
