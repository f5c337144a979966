"""What services say when they fail, in every dialect that speaks JSON over HTTP: one table, and no word passed on."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, Rejected, Throttled, Unavailable
from broker.providers.wire.base import Call
from broker.providers.wire.failures import failure

from tests.unit.dialects.base import MODEL, SECRET, TOOL, Json, calling
from tests.unit.dialects.error_texts import BUSY, ERRORS, GONE, KEYS, LONG, REFUSED, Row, framed
from tests.unit.dialects.rejection_texts import REJECTED
from tests.unit.dialects.table import DIALECTS, failed
from tests.unit.provider_server import ProviderServer, Script

OVER_HTTP = [name for name in DIALECTS if name != "bedrock"]
MESSAGES = [{"role": "user", "content": "What is my diagnosis?"}, {"role": "user", "content": "And why?"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def call_of(server: ProviderServer, provider: str, **more: Any) -> Call:
    endpoint = DIALECTS[provider]().endpoint(server.url)
    return Call("chat", MODEL, {"messages": MESSAGES, **more}, {}, 20, SECRET, endpoint, {"type": "object"})


@pytest.mark.parametrize("row", ERRORS.values(), ids=ERRORS)
def test_what_a_service_says_has_its_class_in_every_dialect(server: ProviderServer, row: Row) -> None:
    status, body, kind = row
    for provider in OVER_HTTP:
        error = failed(server, DIALECTS[provider](), call_of(server, provider), Script(body, status))
        assert type(error) is kind, provider
        assert re.fullmatch(r"[\w.]+", error.code), "a code is a known word"
        assert error.param is None


@pytest.mark.parametrize("row", REJECTED.values(), ids=REJECTED)
def test_a_rejection_names_its_code_and_its_field(
    server: ProviderServer, row: tuple[int, Any, str, str | None]
) -> None:
    status, body, code, param = row
    error = failed(server, DIALECTS["openai"](), call_of(server, "openai", tools=[TOOL]), Script(body, status))
    assert (type(error), error.code, error.param) == (Rejected, code, param)
    assert not error.maybe_paid
    # Where turns are merged or left out, a place among them would be another's.
    call = call_of(server, "anthropic", tools=[TOOL])
    error = failed(server, DIALECTS["anthropic"](), call, Script(body, status))
    assert (type(error), error.code) == (Rejected, code)
    assert error.param == (param and re.sub(r"\.[0-9].*", "", param))


def test_a_rejected_text_is_the_requests_text(server: ProviderServer) -> None:
    status, body, _, _ = REJECTED["openai, of a message"]
    for task in ("chat", "sentiment"):
        made = replace(
            call_of(server, "openai"), task=task, input={"text": "What is my diagnosis?"}, output_schema=None
        )
        assert failed(server, DIALECTS["openai"](), made, Script(body, status)).param == "input.text"
        _, schema, _, _ = REJECTED["openai, of a schema"]
        assert failed(server, DIALECTS["openai"](), made, Script(schema, status)).param is None


ASK, BLANK = ({"role": "user", "content": said} for said in ("And?", " "))
BRIEF = {"role": "system", "content": "Be brief."}
USES = {"role": "assistant", "tool_calls": [{**calling("look_up", {}), "id": identity} for identity in "ab"]}
FIRST, SECOND = ({"role": "tool", "tool_call_id": identity, "content": "1"} for identity in "ab")


@pytest.mark.parametrize(
    ("messages", "more", "param"),
    [
        ([BRIEF, ASK], {}, "input.messages.1.content"),
        ([ASK, USES, FIRST, SECOND], {}, "input.messages.1.content"),
        ([ASK, ASK], {"tools": [TOOL]}, "input.messages.1.content"),
        ([ASK, USES, SECOND, FIRST], {}, "input.messages"),
        ([ASK, BLANK, ASK], {}, "input.messages"),
        ([ASK, BRIEF, ASK], {}, "input.messages"),
        ([BRIEF, BRIEF, ASK], {}, "input.messages"),
        ([ASK, ASK], {"tools": [TOOL, TOOL]}, "input.messages"),
    ],
    ids=["plain", "results", "tools", "order", "blank", "system", "systems", "one tool"],
)
def test_a_place_is_told_where_all_messages_are_in_theirs(
    server: ProviderServer, messages: list[Json], more: Json, param: str
) -> None:
    call = replace(call_of(server, "openai", **more | {"messages": messages}), repair=True)
    error = failed(server, DIALECTS["openai"](), call, Script(framed(param="messages[1].content"), 400))
    assert error.param == param


def test_turns_that_a_model_wants_to_be_one_have_no_places(server: ProviderServer) -> None:
    call = replace(call_of(server, "openai"), options={"cannot": ["repeated_roles"]})
    error = failed(server, DIALECTS["openai"](), call, Script(framed(param="messages[0].content"), 400))
    assert error.param == "input.messages"


def test_tools_that_the_request_does_not_have_are_none_of_its_fields(server: ProviderServer) -> None:
    said = Script(framed("tools.0.input_schema: JSON schema is invalid"), 400)
    forced = replace(call_of(server, "anthropic"), options={"structured": "tool"})
    assert failed(server, DIALECTS["anthropic"](), forced, said).param == "output_schema"
    uses = {"role": "assistant", "tool_calls": [calling("look_up", {})]}
    without = replace(call_of(server, "anthropic", messages=[*MESSAGES, uses]), output_schema=None)
    assert failed(server, DIALECTS["anthropic"](), without, said).param == "input.messages"


@pytest.mark.parametrize("said", [*(body for _, body in GONE.values()), *(body for _, body in KEYS.values())])
def test_a_prompt_that_is_quoted_closes_no_model_to_others(said: Any) -> None:
    """A tenant's own words in an error never look like a model that is gone or a key that is wrong."""
    error = said.get("error", said) if isinstance(said, dict) else "The model `x` does not exist"
    words = error if isinstance(error, str) else error["message"]
    for status in (400, 422):
        body = {"error": {"message": f"Invalid value: '{words}'", "type": "invalid_request_error", "code": None}}
        assert type(failure(status, {}, body)) is Rejected


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, {"error": {"message": "Rate limit reached. Please try again in 7.5s."}}, 7.5),
        ({}, {"error": {"message": "Please try again in 1m2.5s"}}, 62.5),
        ({}, {"error": {"message": "Please try again in 250ms"}}, 0.25),
        ({}, {"error": {"message": "Please try again in a while"}}, None),
        ({}, {"error": {"details": [{"retryDelay": "3s"}]}}, 3),
        ({"retry-after": "2"}, {"error": {"message": "Please try again in 7s"}}, 2),
        ({}, {"error": {"message": "Please try again in 99999h9m9s"}}, 86_400),
    ],
)
def test_a_pause_is_as_long_as_was_said(headers: dict[str, str], body: Any, seconds: float | None) -> None:
    error = failure(429, headers, body)
    assert (type(error), error.retry_after) == (Throttled, seconds)


def test_a_server_that_says_when_it_will_be_back_asks_for_a_pause() -> None:
    back = failure(503, {"retry-after": "2"})
    assert (type(back), back.retry_after, back.maybe_paid) == (Throttled, 2, False)
    assert type(failure(503, {})) is Unavailable
    assert type(failure(500, {"retry-after": "2"})) is Unavailable


@pytest.mark.parametrize(
    "body",
    [
        None,
        5,
        "",
        "x" * 100_000,
        [],
        [[[]]],
        {"error": None},
        {"error": [1, {"error": [{}]}]},
        {"error": {"code": 10**400, "message": ["x"], "details": {"a": 1}, "param": {"x": []}}},
        {"detail": [{"loc": [None, 5, {}], "msg": 5}]},
        {"error": {"metadata": {"raw": "{" * 10_000}}},
        {"error": {"message": "`" * 200_000}},
        {"error": {"message": "model " * 40_000}},
        {"errors": [{"errors": [{"errors": [{"errors": [{"errors": [{"errors": []}]}]}]}]}] * 1000},
    ],
    ids=lambda body: str(body)[:40],
)
def test_an_error_of_any_form_is_read(body: Any) -> None:
    for status in (400, 403, 404, 429, 500, 600):
        error = failure(status, {}, body)
        assert isinstance(error, BrokerError)
        assert not isinstance(error, InvalidRequest), "what a provider says is never wrong for every model"


def test_the_table_is_whole() -> None:
    assert all((LONG, REFUSED, GONE, KEYS, BUSY))
    assert {kind.__name__ for _, _, kind in ERRORS.values()} >= {"BadOutput", "ModelTimedOut", "Unavailable"}
