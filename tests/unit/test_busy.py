"""Contention and throttling at each door: `503` that says when to come again, never `500`; and nothing is half done."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.retries.standard import ThrottledRetryableChecker
from broker.cloud.overload import THROTTLED
from broker.jobs.ending import cancel_job
from broker.rest.http import Reply, Request
from broker.storage import ConditionFailed, Contended
from broker.tenants.slices import COUNT
from handlers.answering import answered
from handlers.batch import each_record

from tests.fakes.inbox import Files, chat
from tests.fakes.world import BASE_URL, CHAT, NOW, World, a_head
from tests.unit.accepting_case import accepting_world
from tests.unit.test_batch_records import Clock
from tests.unit.test_event_consumer import EVENT
from tests.unit.test_event_consumer import Door as EventDoor

REQUEST = Request("POST", "/jobs", {}, {}, {}, None, "acme", "key:1", frozenset("*"), "req-1", BASE_URL)


def refused(code: str, status: int = 400) -> ClientError:
    said: Any = {
        "Error": {"Code": code, "Message": "arn:aws:secret"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(said, "PutItem")


def reply_to(error: Exception) -> Reply:
    def door(request: Request) -> Reply:
        raise error

    return answered(REQUEST, door)


PASSES = {
    "contention": [Contended([1]), refused("TransactionConflictException")],
    "busy": [refused(code) for code in sorted(THROTTLED)] + [refused("SlowDown", 503)],
    "store_unavailable": [
        *(refused("InternalServerError", 500), refused("ServiceException", 502), refused("Anything", 503)),
        *(EndpointConnectionError(endpoint_url="x"), ConnectTimeoutError(endpoint_url="x")),
        *(ReadTimeoutError(endpoint_url="x"), HTTPClientError(error=OSError())),
    ],
}


@pytest.mark.parametrize(
    ("code", "error"), [(code, error) for code, errors in PASSES.items() for error in errors], ids=repr
)
def test_what_passes_by_itself_is_answered_with_503_and_a_time(code: str, error: Exception) -> None:
    reply = reply_to(error)
    told = reply.body["error"]
    assert (reply.status, told["type"], told["code"]) == (503, "unavailable", code)
    assert 1 <= int(reply.headers["retry-after"]) <= 10
    assert "secret" not in json.dumps(reply.body)


@pytest.mark.parametrize(
    "error",
    [
        *(refused("AccessDeniedException"), refused("ValidationException"), refused("ResourceNotFoundException")),
        *(KeyError("JOBS_TABLE"), ConditionFailed([0]), ValueError()),
    ],
    ids=repr,
)
def test_what_does_not_is_a_fault_of_ours(error: Exception) -> None:
    reply = reply_to(error)
    assert (reply.status, reply.body["error"]["code"]) == (500, "internal_error")
    assert "retry-after" not in reply.headers


def test_whatever_an_sdk_takes_for_throttling_is_throttling() -> None:
    of_other_services = {"EC2ThrottledException", "PriorRequestNotComplete"}
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - of_other_services <= THROTTLED


def crowd(world: World, tenant: str = "rich") -> None:
    """Others hold the tenant's budget, whatever slice."""
    world.database.held.update({f"BUDGET#{tenant}#{number}": 10**6 for number in range(1, COUNT)})
    world.database.held[f"BUDGET#{tenant}"] = 10**6


@pytest.mark.parametrize("key", [None, "k"])
def test_a_request_that_meets_others_leaves_nothing_and_may_come_again_at_once(key: str | None) -> None:
    world = accepting_world()
    world.accept(tenant="rich")  # the period is open
    before = world.payloads.owners()
    crowd(world)
    with pytest.raises(Contended):
        world.accept({**CHAT, "metadata": {"order": "seventeen"}}, tenant="rich", key=key)
    assert world.payloads.owners() == before
    assert "seventeen" not in repr(world.database.items())
    world.database.held.clear()
    head = world.accept({**CHAT, "metadata": {"order": "seventeen"}}, tenant="rich", key=key).head
    assert world.jobs.get(head.id) == head


def test_one_tenants_crowd_holds_up_no_other() -> None:
    world = accepting_world()
    world.tenant("careful", monthly_budget=10**9)
    crowd(world)
    assert world.accept(tenant="careful").head.holds


def test_a_job_that_was_written_though_others_seemed_to_hold_it_is_accepted() -> None:
    """The commit's reply was lost, and its repeats met the job's own run."""
    world = accepting_world()
    world.accept(tenant="rich")
    create: Callable[..., None] = world.jobs.create

    def written(*what: Any, **how: Any) -> None:
        create(*what, **how)
        raise Contended([0])

    world.jobs.create = written  # type: ignore[method-assign]
    head = world.accept(tenant="rich", key="k").head
    world.jobs.create = create  # type: ignore[method-assign]
    assert world.accept(tenant="rich", key="k").head == head
    assert world.jobs.get(head.id) == head


def test_an_event_that_meets_others_comes_again_and_is_not_rejected() -> None:
    door = EventDoor()
    door.world.tenant("acme", monthly_budget=10**9)
    door()  # the period is open
    crowd(door.world, "acme")
    record = {"messageId": "m-1", "attributes": {"ApproximateReceiveCount": "1"}, "body": ""}

    def take(record: dict[str, Any]) -> None:
        door({**EVENT, "id": "e-2"})

    event = {"Records": [record]}
    assert each_record(event, Clock(), take) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert door.rejections.kept == []
    door.world.database.held.clear()
    assert each_record(event, Clock(), take) == {"batchItemFailures": []}


def test_a_file_that_meets_others_waits_and_is_not_rejected() -> None:
    files = Files()
    files.world.tenant("acme", monthly_budget=10**9)
    files.world.accept()
    crowd(files.world, "acme")
    event = files.inbox.put("acme/one.json", json.dumps(chat("One.")))
    with pytest.raises(Contended):
        files.split(event)
    assert files.failed == []
    files.world.database.held.clear()
    taken = files.split(event)
    assert taken is not None
    assert (taken.accepted, taken.refused) == (1, 0)


def test_a_job_that_would_not_hold_still_is_canceled_by_a_repeat() -> None:
    world = World()
    head = world.put(a_head())

    def others() -> None:
        world.jobs.change(head.id, lambda current: current.next(nudges=current.nudges + 1))

    world.database.meanwhile = [step for _ in range(8) for step in (others, lambda: None)]
    with pytest.raises(Contended):
        cancel_job(world.jobs, head.id, "acme", NOW)
    world.database.meanwhile = []
    assert cancel_job(world.jobs, head.id, "acme", NOW).status == "canceled"
