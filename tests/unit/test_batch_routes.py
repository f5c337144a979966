"""The routes of batches: scopes, pages, and what another tenant sees of them, which is nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import BatchStatus
from broker.batches.store import Batches
from broker.rest.batches import BATCH_ROUTES

from tests.unit.rest_door import Door

BODY = json.dumps({"requests": [{"custom_id": "a", "input": "Hello"}], "metadata": {"order": "17"}})
OF_ONE = sorted(route for route in BATCH_ROUTES if "{id}" in route[1])


@pytest.fixture
def door() -> Door:
    return Door()


def submitted(door: Door, tenant: str = "acme") -> str:
    reply = door("POST", "/batches", BODY, tenant=tenant)
    assert reply.status == 202
    return str(reply.body["id"])


def complete(door: Door, batch_id: str, **changes: Any) -> None:
    known: dict[str, Any] = {"status": BatchStatus.COMPLETED, "is_planned": True, "rows": 1, "shards": 1} | changes
    Batches(door.world.database).change(batch_id, lambda before: replace(before, **known))


def test_a_batch_is_told_where_it_is_and_how_it_stands(door: Door) -> None:
    reply = door("POST", "/batches", BODY)
    shown = door("GET", "/batches/{id}", job_id=reply.body["id"]).body
    assert reply.headers["location"] == shown["urls"]["get"]
    assert (shown["status"], shown["metadata"]) == ("validating", {"order": "17"})
    assert shown == reply.body


@pytest.mark.parametrize("route", OF_ONE)
@pytest.mark.parametrize("ended", [False, True])
def test_another_tenant_finds_no_batch_whatever_it_asks(door: Door, route: tuple[str, str], ended: bool) -> None:
    batch_id = submitted(door)
    if ended:
        complete(door, batch_id)
        door.batches.links[batch_id, "output"] = "https://bucket.example/results"
    before = door.world.database.items()
    error = door.fails(*route, tenant="other", job_id=batch_id)
    lost = door.fails(*route, tenant="other", job_id="batch_none")
    assert (
        (error.status, error.code, error.message)
        == (lost.status, lost.code, lost.message)
        == (
            404,
            "not_found",
            "There is no such batch.",
        )
    )
    assert door.world.database.items() == before
    assert door.batches.erased == []


@pytest.mark.parametrize("odd", ["../jobs", "batch_" + "x" * 80, "a#b", ""])
@pytest.mark.parametrize("route", OF_ONE)
def test_what_is_no_id_is_no_batch(door: Door, route: tuple[str, str], odd: str) -> None:
    assert door.fails(*route, job_id=odd).status == 404


def test_lists_are_a_tenants_own_page_by_page(door: Door) -> None:
    mine, theirs = [submitted(door) for _ in range(5)], submitted(door, "other")
    found, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = door("GET", "/batches", query=query).body
        found += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == sorted(mine, reverse=True)
    (only,) = door("GET", "/batches", tenant="other").body["data"]
    assert only["id"] == theirs
    first = door("GET", "/batches", query={"limit": "1"}).body["next_cursor"]
    assert door("GET", "/batches", tenant="other", query={"cursor": first}).body["data"] in ([], [only])
    assert door.fails("GET", "/batches", query={"cursor": "Zm9v"}).param == "cursor"


def test_a_list_may_be_of_one_status_and_of_no_word_that_is_none(door: Door) -> None:
    mine = submitted(door)
    for status, found in (("validating", [mine]), ("completed", [])):
        page = door("GET", "/batches", query={"status": status}).body
        assert [each["id"] for each in page["data"]] == found
    assert door.fails("GET", "/batches", query={"status": "queued"}).param == "status"


def test_batches_and_jobs_are_listed_apart(door: Door) -> None:
    batch_id = submitted(door)
    job = door("POST", "/jobs", '{"input": "Hello"}').body
    assert [each["id"] for each in door("GET", "/jobs").body["data"]] == [job["id"]]
    assert [each["id"] for each in door("GET", "/batches").body["data"]] == [batch_id]
    assert door.fails("GET", "/jobs/{id}", job_id=batch_id).status == 404
    assert door.fails("GET", "/batches/{id}", job_id=job["id"]).status == 404


@pytest.mark.parametrize("route", sorted(BATCH_ROUTES))
def test_each_route_needs_its_scope(door: Door, route: tuple[str, str]) -> None:
    scope, _ = BATCH_ROUTES[route]
    others = " ".join({"jobs:read", "jobs:write", "models:read", "files:read", "files:write"} - {scope})
    assert door.fails(*route, BODY, scopes=others).code == "missing_scope"


@pytest.mark.parametrize("route", ["/batches", "/batches/estimate"])
def test_who_may_not_read_files_reads_none_by_a_batch(door: Door, route: str) -> None:
    file_id = json.loads(BODY)["requests"][0]["custom_id"]
    body = json.dumps({"input_file_id": file_id})
    assert door.fails("POST", route, body, scopes="jobs:write models:read").code == "missing_scope"
    assert door.fails("POST", route, body, scopes="jobs:write models:read files:read").code == "no_such_file"


def test_results_lead_to_the_bucket_and_only_of_what_there_is(door: Door) -> None:
    batch_id = submitted(door)
    assert door.fails("GET", "/batches/{id}/results", job_id=batch_id).code == "not_ended"
    complete(door, batch_id)
    door.batches.links[batch_id, "errors"] = "https://bucket.example/errors?signed"
    reply = door("GET", "/batches/{id}/results", job_id=batch_id, query={"kind": "errors"})
    assert (reply.status, reply.headers["location"]) == (307, "https://bucket.example/errors?signed")
    assert door.fails("GET", "/batches/{id}/results", job_id=batch_id).code == "no_results"


def test_only_an_ended_batch_is_erased(door: Door) -> None:
    batch_id = submitted(door)
    assert door.fails("DELETE", "/batches/{id}", job_id=batch_id).code == "not_ended"
    complete(door, batch_id)
    assert door("DELETE", "/batches/{id}", job_id=batch_id).status == 204
    assert door.batches.erased == [batch_id]


def test_the_same_key_is_not_taken_for_a_job_and_a_batch(door: Door) -> None:
    door("POST", "/batches", BODY, idempotency_key="k")
    assert door.fails("POST", "/jobs", '{"input": "Hello"}', idempotency_key="k").status == 422
