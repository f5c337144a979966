"""How every provider of chats has to fail alike, over a real connection."""

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Truncated,
    Unavailable,
)
from broker.providers.wire.base import Call

from tests.unit.dialects.base import SCHEMA, TOOL, WORDS, Dialect
from tests.unit.dialects.table import EMBEDDING, SIGHTED, failed, for_dialects
from tests.unit.provider_server import ProviderServer, Script


@for_dialects(SIGHTED)
@pytest.mark.parametrize("url", ["s3://inbox/acme/none", "http://example.com/a.png", "file:///etc/hostname", "data:,"])
def test_a_picture_that_cannot_be_had_names_its_place(
    server: ProviderServer, dialect: Dialect, call: Call, url: str
) -> None:
    messages = [
        {"role": "user", "content": "See:"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]},
    ]
    if url == "data:," and dialect.passes_on:
        pytest.skip("data: is passed through")
    error = failed(server, dialect, replace(call, input={"messages": messages}), Script(), asked=0)
    assert (type(error), error.param) == (InvalidRequest, "input.messages.1.content")


def test_a_refusal_is_refused(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for reply in dialect.refuses():
        error = failed(server, dialect, call, Script(reply))
        assert (type(error), error.maybe_paid) == (Refused, True), reply


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        (WORDS, "stop"),
        (json.dumps({"age": WORDS}), "stop"),
        (json.dumps({"age": 3, WORDS: 1}), "stop"),
        ('{"age": NaN}', "stop"),
        ('{"age": 1e999}', "stop"),
        ('{"age": "\\ud800"}', "stop"),
        ("[" * 50_000, "stop"),
        ('{"age": ' + "9" * 5000 + "}", "stop"),
        ("```json", "stop"),
        ('[{"age": 3}]', "stop"),
    ],
    ids=["text", "value", "key", "nan", "inf", "surrogate", "deep", "huge", "fence", "list"],
)
def test_what_misses_the_schema_is_bad_output(
    server: ProviderServer, dialect: Dialect, call: Call, text: str, finish: str
) -> None:
    error = failed(server, dialect, replace(call, output_schema=SCHEMA), Script(dialect.says(text, finish)))
    assert (type(error), error.maybe_paid) == (BadOutput, True)


@pytest.mark.parametrize(
    ("text", "schema"),
    [("", None), ("\n", None), ("", SCHEMA), ('{"age": ', SCHEMA), ('{"age": 3}', SCHEMA)],
    ids=["nothing", "blank", "no json", "half of json", "json"],
)
def test_an_answer_that_was_cut_off_before_it_said_anything_is_truncated(
    server: ProviderServer, dialect: Dialect, call: Call, text: str, schema: Any
) -> None:
    error = failed(server, dialect, replace(call, output_schema=schema), Script(dialect.says(text, "length")))
    assert (type(error), error.code) == (Truncated, "output_truncated")
    assert (error.tokens, error.maybe_paid) == ((7, 3), True)


def test_an_error_is_charged_as_its_reply_told(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for reply in dialect.refuses():
        usage = reply.get(dialect.usage)
        error = failed(server, dialect, call, Script(reply))
        assert error.tokens == ((7, 3) if usage and len(usage) > 1 else (7, 0) if usage else None), reply
    asked = replace(call, output_schema=SCHEMA)
    assert failed(server, dialect, asked, Script(dialect.says(WORDS))).tokens == (7, 3)
    for usage in (None, {}, 5, [7]):
        error = failed(server, dialect, asked, Script(dialect.says(WORDS) | {dialect.usage: usage}))
        assert (type(error), error.tokens, error.maybe_paid) == (BadOutput, None, True)


def test_a_broken_schema_is_an_invalid_request(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    script = Script(dialect.says("{}"))
    error = failed(server, dialect, replace(call, output_schema={"type": "nonsense"}), script)
    assert (type(error), error.param) == (InvalidRequest, "output_schema")


def test_empty_and_malformed_replies_are_bad_output(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    bodies = [b"", b"{}", b"[]", b"null", b"5", b"[[", b"\xff\xfe", b"[" * 100_000, b'{"usage": 5}', WORDS.encode()]
    bodies += [json.dumps(body).encode() for body in dialect.malformed()]
    bodies += [json.dumps(dialect.says(text)).encode() for text in ("", "  \n", "half \ud83d")]
    bodies += [json.dumps(dialect.says("", "tool_calls", ("look_up", {}))).replace("look_up", "\\ud800").encode()]
    for body in bodies:
        error = failed(server, dialect, call, Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), body[:90]


def test_each_error_of_the_service_has_its_class(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for status, body, kind, maybe_paid in dialect.errors():
        error = failed(server, dialect, call, Script(body, status, {"location": "/elsewhere"}))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)


def test_each_class_of_error_is_known_of_the_service(dialect: Dialect) -> None:
    known = {kind for _, _, kind, _ in dialect.errors()}
    assert known | {Refused} == {
        *(Rejected, ModelGone, CredentialRejected, Refused, Throttled, Unavailable, ModelTimedOut, ContextExceeded),
    }


def test_a_throttled_call_says_how_long_to_wait(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    body = next(body for _, body, kind, _ in dialect.errors() if kind is Throttled)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    waits: list[tuple[dict[str, str], tuple[float, float] | None]] = [
        ({}, None),
        ({"retry-after": "7"}, (7, 7)),
        ({"Retry-After": "7", "retry-after-ms": "1500"}, (1.5, 1.5)),
        ({"retry-after": later}, (1, 100)),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, (0, 0)),
        ({"retry-after": "2.5"}, (2.5, 2.5)),
        ({"retry-after": "2s"}, (2, 2)),
        ({"retry-after": "250ms"}, (0.25, 0.25)),
        ({"retry-after": "999999999999"}, (86_400, 86_400)),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
    ]
    for headers, bounds in waits:
        error = failed(server, dialect, call, Script(body, 429, headers))
        assert type(error) is Throttled
        if bounds is None:
            assert error.retry_after is None, headers
        else:
            assert error.retry_after is not None
            assert bounds[0] <= error.retry_after <= bounds[1], headers


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(
    server: ProviderServer, dialect: Dialect, call: Call, how: str
) -> None:
    error = failed(server, dialect, call, Script(dialect.says("Fine."), how=how))
    assert (type(error), error.maybe_paid) == (Unavailable, True)


def test_a_call_that_hangs_ends_in_time(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    began = time.monotonic()
    error = failed(server, dialect, replace(call, timeout=0.5), Script(how="hang"))
    assert time.monotonic() - began < 20
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)


def test_other_tasks_are_not_taken(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    error = failed(server, dialect, replace(call, task="converse"), Script(), asked=0)
    assert (type(error), error.code) == (Rejected, "unsupported_task")


def test_a_chat_needs_something_to_say(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    error = failed(server, dialect, replace(call, input={}), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "no_input")


def test_tools_of_another_form_are_an_invalid_request(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    wrong: list[dict[str, Any]] = [
        {"text": "?", "tools": [{"name": "x"}]},
        {"text": "?", "tools": [TOOL], "tool_choice": "whichever"},
        {"text": "?", "tools": [TOOL], "tool_choice": {"type": "function"}},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "t1"}]}]},
    ]
    for given in wrong:
        assert type(failed(server, dialect, replace(call, input=given), Script(), asked=0)) is InvalidRequest, given


@for_dialects(EMBEDDING)
def test_vectors_that_do_not_fit_are_bad_output(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    asked = replace(call, task="embed", input={"text": ["my diagnosis", "two"]})
    wrong: list[Any] = [[], [[1]], [[1]] * 3, [[1], []], [[1], None], [[1], [None]], [[1], [True]], [[1], [10**400]]]
    bodies = [json.dumps(dialect.vectors(each)) for each in [*wrong, [[1], "AAAA"], [[1], [math.inf]]]]
    for body in [*bodies, bodies[-1].replace("Infinity", "1e999"), "5", "[]", "{}"]:
        error = failed(server, dialect, asked, Script(body.encode()))
        assert (type(error), error.maybe_paid) == (BadOutput, True), body
    error = failed(server, dialect, replace(asked, input={}), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "no_input")


@for_dialects(EMBEDDING)
def test_embeddings_fail_as_chats_do(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    asked = replace(call, task="embed", input={"text": "my diagnosis"})
    for status, body, kind, maybe_paid in dialect.errors():
        error = failed(server, dialect, asked, Script(body, status))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)
