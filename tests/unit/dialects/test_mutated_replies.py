"""Replies that were bent: whatever comes of one is an answer that every store takes, or an error of the tree."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from broker.errors import BrokerError, InvalidRequest
from broker.providers.wire.base import Answer, Call
from hypothesis import HealthCheck, given, settings

from tests.unit.dialects.base import SCHEMA, TOOL, Dialect
from tests.unit.dialects.table import EMBEDDING, for_dialects
from tests.unit.mutations import mutation
from tests.unit.provider_server import ProviderServer, Script

Mutate = Callable[[Any], Any]

# The fixtures are a server and a dialect without a state, so they may be kept between examples.
bending = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def invoked(server: ProviderServer, dialect: Dialect, call: Call, reply: Any, status: int = 200) -> None:
    server.answer(Script(json.dumps(reply).encode(), status))
    try:
        answer = dialect.provider.invoke(call)
    except BrokerError as error:
        assert not isinstance(error, InvalidRequest), "no reply makes a request wrong for every model"
        assert error.tokens is None or (min(error.tokens) >= 0 and any(error.tokens))
        return
    assert status == 200
    assert isinstance(answer, Answer)
    json.dumps(answer.output, allow_nan=False, ensure_ascii=False, default=list).encode()
    assert type(answer.input_tokens) is int
    assert min(answer.input_tokens, answer.output_tokens) >= 0
    for made in answer.output.get("tool_calls", []):
        assert isinstance(json.loads(made["function"]["arguments"]), dict)
        assert made["function"]["name"] == "look_up"
    assert "json" not in answer.output or set(answer.output["json"]) == {"age"}


@bending
@given(mutate=mutation())
def test_a_bent_text(server: ProviderServer, dialect: Dialect, call: Call, mutate: Mutate) -> None:
    invoked(server, dialect, call, mutate(dialect.says("Fine.")))


@bending
@given(mutate=mutation())
def test_a_bent_tool_call(server: ProviderServer, dialect: Dialect, call: Call, mutate: Mutate) -> None:
    asked = replace(call, input={"text": "?", "tools": [TOOL]})
    invoked(server, dialect, asked, mutate(dialect.says("", "tool_calls", ("look_up", {"age": 3}))))


@bending
@given(mutate=mutation())
def test_bent_json(server: ProviderServer, dialect: Dialect, call: Call, mutate: Mutate) -> None:
    invoked(server, dialect, replace(call, output_schema=SCHEMA), mutate(dialect.says('{"age": 3}')))


@bending
@given(mutate=mutation())
def test_a_bent_error(server: ProviderServer, dialect: Dialect, call: Call, mutate: Mutate) -> None:
    bodies = [body for _, body, _, _ in dialect.errors() if isinstance(body, dict)]
    invoked(server, dialect, call, mutate({"errors": bodies[0], **bodies[-1]}), 400)
    invoked(server, dialect, call, mutate(bodies[-1]), 403)


@for_dialects(EMBEDDING)
@bending
@given(mutate=mutation())
def test_bent_vectors(server: ProviderServer, dialect: Dialect, call: Call, mutate: Mutate) -> None:
    asked = replace(call, task="embed", input={"text": ["one", "two"]})
    invoked(server, dialect, asked, mutate(dialect.vectors([[1, -0.5], [2, 0.5]])))
