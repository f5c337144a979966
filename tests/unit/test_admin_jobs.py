"""The operators' routes of jobs: of all tenants, with the payload apart and each look at it on record."""

from dataclasses import replace

import pytest
from broker.audit.notes import taken
from broker.errors import InvalidRequest, NotFound
from broker.jobs.head import Status
from broker.rest.admin_jobs import MOST_TENANTS
from broker.storage import Put
from broker.tenants.ledger import OPEN

from tests.contract.world import World as Contract
from tests.unit.admin_door import Door

ONE = "/admin/jobs/{job_id}"


@pytest.fixture
def world() -> Contract:
    return Contract()


def test_a_job_is_shown_without_what_it_was_asked_and_answered(world: Contract) -> None:
    head = world.ended(Status.SUCCEEDED)
    shown = world.call("GET", ONE, path={"job_id": head.id}).body
    assert (shown["tenant"], shown["door"], shown["status"]) == ("acme", "rest", "succeeded")
    assert "Hello to you" not in str(shown), "an answer is given out without being asked for"
    assert [each["model"] for each in shown["attempts"]]


def test_what_was_held_is_the_worst_case_and_no_count_of_jobs(world: Contract) -> None:
    holds = {"acme/2025-11": 40_000_000, "acme.daily/2025-11-01": 40_000_000, f"acme/{OPEN}": 10**12}
    head = replace(world.submitted(), holds=holds)
    world.database.write(Put("jobs", head.to_item()))
    assert world.call("GET", ONE, path={"job_id": head.id}).body["held_usd"] == 0.04


def test_a_look_at_the_payload_is_on_record_and_told_to_the_tenant(world: Contract) -> None:
    head = world.ended(Status.SUCCEEDED)
    read = world.call("GET", f"{ONE}/payload", path={"job_id": head.id}).body
    assert read["output"] == {"text": "Hello to you"}
    assert read["request"]["input"]
    (note,) = (each for name, each in world.jobs.notes(head.id).items() if name.startswith("READ#"))
    assert note["by"] == "me"
    events = world.call("GET", "/jobs/{id}/events", path={"id": head.id}).body["data"]
    assert events[-1]["event"] == "job.read"
    assert events[-1].keys() == {"at", "event"}, "a tenant is told that, and not who"


def test_looks_of_one_moment_are_on_record_each(world: Contract) -> None:
    head = world.ended(Status.SUCCEEDED)
    for number in range(20):  # some of them within a millisecond
        world.call("GET", f"{ONE}/payload", path={"job_id": head.id}, request_id=f"r-{number}")
    assert len(world.jobs.notes(head.id, "READ#")) == 20


def test_no_look_is_given_that_could_not_be_put_on_record(world: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    head = world.ended(Status.SUCCEEDED)

    def full(*arguments: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(world.jobs), "note", full)
    with pytest.raises(ConnectionError):
        world.call("GET", f"{ONE}/payload", path={"job_id": head.id})


def test_the_audit_trail_is_told_of_looks_at_payloads_and_of_no_others(
    world: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_QUEUE", "here")
    path = {"job_id": world.ended(Status.SUCCEEDED).id}
    taken()
    world.call("GET", ONE, path=path)
    world.call("GET", "/admin/jobs")
    assert not taken()
    world.call("GET", f"{ONE}/payload", path=path)
    (noted,) = taken()
    assert (noted["kind"], noted["subject"], noted["by"]) == ("payload.read", path["job_id"], "me")


def test_any_job_is_canceled(world: Contract) -> None:
    head = world.submitted()
    assert world.call("POST", f"{ONE}/cancel", path={"job_id": head.id}).body["status"] == "canceled"


@pytest.mark.parametrize("job_id", ["job_0", "../x", "job_" + "é" * 9])
def test_what_is_no_job_is_not_there(world: Contract, job_id: str) -> None:
    with pytest.raises(NotFound):
        world.call("GET", ONE, path={"job_id": job_id})


def test_many_tenants_are_not_all_asked_at_once() -> None:
    door = Door()
    for number in range(MOST_TENANTS + 1):
        door("PUT", "/admin/registry/{kind}/{id}", {"id": f"t{number}"}, entry_id=f"t{number}")
    with pytest.raises(InvalidRequest) as refused:
        door("GET", "/admin/jobs")
    assert refused.value.param == "tenant"
    assert door("GET", "/admin/jobs", query={"tenant": "t1"}).body["data"] == []
