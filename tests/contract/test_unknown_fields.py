"""What no door knows is refused by its name, at every depth of what comes in; nothing is left out in silence."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.contract.openapi import EXAMPLES
from broker.doors import chat_completions as completions
from broker.errors import BrokerError, InvalidRequest
from broker.jobs.event_consumer import EventConsumer
from broker.tenants.registry import Sender

from tests.contract.openapi_files import form
from tests.contract.world import NOW, World
from tests.fakes.inbox import Files
from tests.fakes.queue import FakeRejections

UNKNOWN = "zz_unknown"

FREE = {"metadata", "variables", "output_schema", "schema"}
"""Names of objects that hold what the caller likes."""

OPEN = {"messages", "tools", "tool_choice"}
"""What clients send back as it came, with fields of its provider's: kept, and passed on to who has such fields."""

MORE: dict[str, dict[str, Any]] = {
    "POST /jobs": {
        "input": {"text": "Hi"},
        "routing": {"objective": "cost"},
        "parameters": {"temperature": 1},
        "cache": {"mode": "use"},
        "context": {"strategy": "truncate_oldest"},
        "webhook": {"url": "https://example.com/hook"},
    },
    "POST /responses": {
        "model": "small",
        "background": True,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
        ],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    },
    "POST /chat/completions": {
        "model": "small",
        "messages": [{"role": "user", "content": "Hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "stream": True,
        "stream_options": {"include_usage": True},
    },
}
"""More of what the doors take than their examples have."""


def spoilt(body: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The body with an unknown field in each of its objects, and where that is."""
    if isinstance(body, dict):
        if place and (place[-1] in FREE or not OPEN.isdisjoint(place)):
            return
        yield place, {**body, UNKNOWN: 1}
        for name, value in body.items():
            for where, changed in spoilt(value, (*place, name)):
                yield where, {**body, name: changed}
    elif isinstance(body, list):
        for number, value in enumerate(body):
            for where, changed in spoilt(value, (*place, number)):
                yield where, [*body[:number], changed, *body[number + 1 :]]


ROWS = {"POST /batches", "POST /batches/estimate", "POST /messages/batches"}
"""Routes whose `requests` may have rows at fault, which are told with the results."""


MCP = "POST /mcp"
"""Its messages may have what the protocol will have one day; what a tool does not know is told in its result."""


def bodies() -> Iterator[Any]:
    for route, shown in EXAMPLES.items():
        if route == MCP:
            continue
        for body in [*([shown["body"]] if "body" in shown else []), *([MORE[route]] if route in MORE else [])]:
            for place, changed in spoilt(body):
                if route not in ROWS or "requests" not in place:
                    yield pytest.param(route, changed, id=f"{route} {'.'.join(map(str, place))}")


@pytest.mark.parametrize(("route", "body"), list(bodies()))
def test_a_route_refuses_what_it_does_not_know_by_name(route: str, body: Any) -> None:
    world = World()
    method, resource = route.split()
    path = {"id": world.submitted().id, "job_id": "job_0", "kind": "prompts", "label": "production"}
    if resource.startswith("/prompts"):
        path["id"] = "shorten"
    if resource.startswith("/admin/"):
        path["id"] = "shorten"
    with pytest.raises(BrokerError) as failure:
        world.call(method, resource, body=json.dumps(body), path=path)
    named = f"{failure.value.param} {failure.value.message}"
    assert failure.value.status in (400, 404) and UNKNOWN in named, named


@pytest.mark.parametrize("body", [body for place, body in spoilt(EXAMPLES[MCP]["body"]) if "arguments" in place])
def test_a_tool_refuses_what_it_does_not_know_by_name(body: Any) -> None:
    result = World().call("POST", "/mcp", body=json.dumps(body)).body["result"]
    assert result["isError"] and UNKNOWN in result["content"][0]["text"]


@pytest.mark.parametrize("route", MORE)
def test_without_it_the_body_is_taken(route: str) -> None:
    """Else what is refused above could be something else."""
    method, resource = route.split()
    if resource == "/chat/completions":  # which would wait for its answer
        assert completions.job_of(MORE[route])
    else:
        assert World().call(method, resource, body=json.dumps(MORE[route])).status < 300


JOB = EXAMPLES["POST /jobs"]["body"]
SPOILT = [pytest.param(body, id=".".join(map(str, place)) or "body") for place, body in spoilt(JOB)]


@pytest.mark.parametrize("body", SPOILT)
def test_an_event_is_rejected_by_the_same_rule(body: Any) -> None:
    rejections = FakeRejections()
    told: list[dict[str, Any]] = []
    world = World()
    take = EventConsumer(world.accept, lambda *_: Sender("acme"), rejections, lambda kind, detail: told.append(detail))
    event = {"id": "e-1", "source": "shop", "account": "123456789012", "detail": body}
    assert take(json.dumps(event), NOW) is None
    assert UNKNOWN in str(told[0]["data"]["error"]["param"])


@pytest.mark.parametrize("body", SPOILT)
def test_a_file_of_the_inbox_is_rejected_by_the_same_rule(body: Any) -> None:
    files = Files()
    taken = files.taken("acme/a.json", json.dumps(body))
    files.finish(taken.batch_id)
    files.collect(taken.batch_id)
    (said,) = [text for name, text in files.outbox.objects.items() if name.endswith(".error.json")]
    assert UNKNOWN in str(json.loads(said)["error"]["param"])


@pytest.mark.parametrize("resource", ["/files", "/uploads/{id}/parts"])
def test_a_form_has_no_field_that_is_left_out(resource: str) -> None:
    world = World()
    made = world.call("POST", "/uploads", body=json.dumps({"filename": "a", "bytes": 4, "purpose": "batch"})).body
    sent = form(
        "file" if resource == "/files" else "data",
        "one\n",
        **({"purpose": "batch"} if resource == "/files" else {}),
        **{UNKNOWN: "1"},
    )
    with pytest.raises(InvalidRequest) as failure:
        world.call("POST", resource, path={"id": made["id"]}, **sent)
    assert UNKNOWN in f"{failure.value.param} {failure.value.message}"
