"""Which requests of the REST API are one call: by key, by the count of tries, by the tenant's setting."""

import json
from typing import Any

import pytest
from broker.errors import BudgetExceeded
from broker.rest.http import Reply, Request

from tests.unit.rest_door import BODY, Door

OTHER = json.dumps({"input": "Something else."})


def posted(door: Door, body: str = BODY, **more: Any) -> Reply:
    return door("POST", "/jobs", body, **more)


def job_of(reply: Reply) -> str:
    return str(reply.body["id"])


def test_a_repeat_by_its_count_gets_the_first_ones_job_and_says_so() -> None:
    door = Door()
    first = posted(door, x_stainless_retry_count="0")
    again = posted(door, x_stainless_retry_count="1")
    assert job_of(first) == job_of(again)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]


def test_another_body_and_another_tenant_are_no_repeat() -> None:
    door = Door()
    door.world.tenant("rich")
    jobs = [
        job_of(posted(door, x_stainless_retry_count="0")),
        job_of(posted(door, OTHER, x_stainless_retry_count="1")),
        job_of(posted(door, BODY + " ", x_stainless_retry_count="1")),
        job_of(posted(door, x_stainless_retry_count="2", tenant="rich")),
    ]
    assert len(set(jobs)) == len(jobs)


@pytest.mark.parametrize("count", ["-1", "one", "", "1.0", "1000", "٣", "1, 2"])
def test_a_count_that_is_none_is_as_if_there_were_none(count: str) -> None:
    door = Door()
    first = posted(door, x_stainless_retry_count="0")
    assert job_of(posted(door, x_stainless_retry_count=count)) != job_of(first)


def test_a_key_decides_alone() -> None:
    door = Door()
    first = posted(door, idempotency_key="a", x_stainless_retry_count="0")
    assert job_of(posted(door, idempotency_key="b", x_stainless_retry_count="1")) != job_of(first)
    assert job_of(posted(door, idempotency_key="a", x_stainless_retry_count="0")) == job_of(first)


def test_without_key_and_count_equal_requests_are_calls_of_their_own() -> None:
    door = Door()
    assert job_of(posted(door)) != job_of(posted(door))
    assert not [item for item in door.world.database.items() if item["pk"].startswith(("CALL#", "IDEM#"))]


def test_a_tenant_may_have_equal_requests_taken_for_one() -> None:
    door = Door()
    door.world.tenant("acme", repeat_window_seconds=5)
    first = posted(door)
    again = posted(door)
    assert (job_of(first), again.headers["idempotent-replayed"]) == (job_of(again), "true")
    assert job_of(posted(door, OTHER)) != job_of(first)
    # Who says which try it is, or gives a key, is taken at the word.
    assert job_of(posted(door, x_stainless_retry_count="0")) != job_of(first)
    assert job_of(posted(door, idempotency_key="k")) != job_of(first)
    # It is one tenant's setting.
    door.world.tenant("rich")
    assert job_of(posted(door, tenant="rich")) != job_of(posted(door, tenant="rich"))


def test_a_refused_call_may_be_repeated_when_there_is_money() -> None:
    door = Door()
    door.world.tenant("poor", monthly_budget=0)
    refused = door.fails("POST", "/jobs", BODY, tenant="poor", x_stainless_retry_count="0")
    assert isinstance(refused, BudgetExceeded)
    door.world.tenant("poor", monthly_budget=10**9)
    again = posted(door, tenant="poor", x_stainless_retry_count="1")
    assert (again.status, "idempotent-replayed" in again.headers) == (202, False)


def test_when_api_gateway_got_a_request_is_read_from_its_event() -> None:
    event: dict[str, Any] = {
        "httpMethod": "GET",
        "resource": "/jobs",
        "requestContext": {
            "authorizer": {"tenant": "acme", "principal": "key:1", "scopes": "*"},
            **{"requestId": "r", "path": "/v1/jobs", "domainName": "d", "requestTimeEpoch": 1_795_000_000_000},
        },
    }
    assert Request.of(event).sent_at == 1_795_000_000_000
