"""What a caller is told whose tenant has as many calls waiting as it may have: never that its job is lost."""

import json
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from broker.registry.document import parse_registry
from broker.rest.http import error_reply
from broker.storage import Put
from broker.tenants.registry import Tenants
from broker.tenants.waits import Room, Waits
from openai import OpenAI

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW
from tests.unit.doors.case import Server, a_door, end
from tests.unit.rest_door import BODY, Door

HI = {"text": "Hi", "finish_reason": "stop"}
CHAT = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100})


def full(*tenants: str) -> Waits:
    """No place for these, and many for all others."""
    return Waits(FakeDatabase(), lambda tenant, now: Room(0 if tenant in tenants else 50, 100))


def crowded(waits: Waits) -> Door:
    """A door whose jobs do not end by themselves."""
    door = a_door(lambda body: None)
    door.waits = waits
    return door


def test_a_long_poll_without_a_place_is_answered_at_once_and_says_when_to_look_again() -> None:
    door = crowded(full("acme"))
    job = door("POST", "/jobs", BODY).body
    reply = door("GET", "/jobs/{id}", job_id=job["id"], query={"wait": "25"})
    assert (reply.status, reply.body["status"], reply.headers["retry-after"]) == (200, "queued", "1")
    shown = door("GET", "/responses/{id}", job_id=job["id"].replace("job_", "resp_"), query={"wait": "25"})
    assert (shown.status, shown.body["status"], shown.headers["retry-after"]) == (200, "queued", "1")


def test_a_submission_without_a_place_has_its_job_and_does_not_say_that_it_waited() -> None:
    door = crowded(full("acme"))
    reply = door("POST", "/jobs", BODY, prefer="wait=25")
    assert reply.status == 202 and "preference-applied" not in reply.headers
    assert door("GET", "/jobs/{id}", job_id=reply.body["id"]).body["status"] == "queued"


def test_another_tenant_waits_meanwhile() -> None:
    door = crowded(full("acme"))
    job = door("POST", "/jobs", BODY, tenant="rich").body
    asked: list[str] = []

    def room(tenant: str, now: int) -> Room:
        asked.append(tenant)
        if len(asked) == 2:  # it asks for a place now, and the job ends while it has it
            end(door.world, door.world.jobs.get(job["id"]), HI)
        return Room(1, 1_000)

    door.waits = Waits(FakeDatabase(), room)
    reply = door("GET", "/jobs/{id}", job_id=job["id"], query={"wait": "25"}, tenant="rich")
    assert reply.body["status"] == "succeeded"


def test_a_client_that_repeats_by_itself_gets_the_answer_of_the_same_job() -> None:
    door = crowded(full("acme"))
    with Server(door, "/v1") as server, ExitStack() as clients:

        def fate(number: int) -> str:
            if number == 2:
                (head,) = (door.world.jobs.get(item["id"]) for item in door.world.database.items() if "lane" in item)
                end(door.world, head, HI)
            return "answered"

        server.fate = fate
        client = clients.enter_context(OpenAI(base_url=f"{server.url}/v1", api_key="ib_acme", max_retries=2))
        said = client.chat.completions.create(model="small", messages=[{"role": "user", "content": "Hello"}])
        assert said.choices[0].message.content == "Hi" and len(server.asked) == 2
    assert len([each for each in door.world.database.items() if "lane" in each]) == 1


@pytest.mark.parametrize(
    ("headers", "status", "again"),
    [
        ({}, 504, "false"),
        ({"idempotency_key": "k-1"}, 429, "true"),
        ({"x_stainless_retry_count": "0"}, 429, "true"),
    ],
)
def test_who_would_make_another_job_by_a_repeat_is_told_not_to(
    headers: dict[str, str], status: int, again: str
) -> None:
    door = crowded(full("acme"))
    reply = told(lambda: door("POST", "/chat/completions", CHAT, **headers))
    assert (reply.status, reply.headers["x-should-retry"]) == (status, again)
    (head,) = (each for each in door.world.database.items() if "lane" in each)
    assert head["id"].removeprefix("job_") in reply.body["error"]["message"]


def told(call: Callable[[], object]) -> object:
    from broker.errors import BrokerError

    try:
        return call()
    except BrokerError as error:
        return error_reply(error, "req-1")


def test_a_tenants_entry_says_how_many_of_its_calls_wait() -> None:
    (entry,) = parse_registry({"tenants": [{"id": "acme", "limits": {"waits_at_once": 7}}]}).tenants
    database = FakeDatabase()
    database.write(Put("registry", entry.item()))
    assert Tenants(database).get("acme", NOW).waits_at_once == 7
