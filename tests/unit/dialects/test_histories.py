"""Whatever a door takes, and whoever made its history: a request that the service takes, or an error that says why."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, Rejected
from broker.providers.wire import dialects as rows
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.tools import Toolbox
from hypothesis import event, given
from hypothesis import strategies as st

from tests.unit.dialects.base import MODEL, Dialect, Json
from tests.unit.dialects.requests import OPTIONS, chats
from tests.unit.dialects.table import DIALECTS
from tests.unit.provider_server import ProviderServer, Script

ROWS = {
    "anthropic": rows.ANTHROPIC,
    "azure": rows.AZURE,
    "bedrock": rows.CONVERSE,
    "cohere": rows.COHERE,
    "gemini": rows.GEMINI,
    "huggingface": rows.COMPATIBLE,
    "mistral": rows.MISTRAL,
    "openai": rows.COMPATIBLE,
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
UNION = {"anyOf": [SCHEMA, {"type": "array", "items": {"type": "string"}}]}
NAMES = {"weather.now": SCHEMA, "größe": UNION}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in NAMES.items()]


def a_call(dialect: Dialect, url: str, stored: Json, options: Json) -> Call:
    given = {name: stored[name] for name in ("input", "output_schema") if name in stored}
    parameters = stored.get("parameters", {})
    return Call(
        "chat", MODEL, parameters=parameters, timeout=20, endpoint=dialect.endpoint(url), options=options, **given
    )


@given(stored=chats(), options=OPTIONS, repair=st.booleans())
def test_what_validation_accepts_the_service_accepts_too(
    server: ProviderServer, dialect: Dialect, stored: Json, options: Json, repair: bool
) -> None:
    server.answer(Script(dialect.says("Fine.")))
    try:
        dialect.provider.invoke(replace(a_call(dialect, server.url, stored, options), repair=repair))
    except BrokerError as error:
        event(type(error).__name__)
        assert server.asked or isinstance(error, InvalidRequest | Rejected), repr(error)
    assert len(server.asked) <= 1
    for asked in server.asked:
        event("asked")
        dialect.judge(asked.body)


def calling(server: ProviderServer, dialect: Dialect, name: str, own: str, arguments: Any, call: Call) -> list[Json]:
    """The calls of an answer in which a model uses the caller's tool, by the name and schema that it was told."""
    toolbox = Toolbox(call, ROWS[name])
    value, _ = toolbox.arguments(own, json.dumps(arguments))
    server.answer(Script(dialect.says("", "tool_calls", (toolbox.theirs(own), value))))
    answer = dialect.provider.invoke(call)
    assert isinstance(answer, Answer)
    made: list[Json] = answer.output["tool_calls"]
    return made


@pytest.mark.parametrize("name", DIALECTS)
def test_a_call_has_the_callers_own_name_and_schema(server: ProviderServer, name: str) -> None:
    dialect = DIALECTS[name]()
    call = a_call(dialect, server.url, {"input": {"text": "Hm?", "tools": TOOLS}}, {})
    for own, arguments in (("weather.now", {"city": "Ulm"}), ("größe", {"city": "Ulm"}), ("größe", ["Ulm"])):
        made = calling(server, dialect, name, own, arguments, call)[0]["function"]
        assert (made["name"], json.loads(made["arguments"])) == (own, arguments)


@pytest.mark.parametrize("first", DIALECTS)
@pytest.mark.parametrize("second", DIALECTS)
def test_what_one_provider_answered_another_goes_on_with(server: ProviderServer, first: str, second: str) -> None:
    """Three steps, of which one was canceled before its result; every provider gives its calls the same id."""
    earlier, later = DIALECTS[first](), DIALECTS[second]()
    history: list[Json] = [{"role": "user", "content": "Hm?"}]
    for own, arguments in (("weather.now", {"city": "Ulm"}), ("größe", ["Ulm"]), ("weather.now", {"city": "Bonn"})):
        call = a_call(earlier, server.url, {"input": {"messages": history, "tools": TOOLS}}, {})
        made = calling(server, earlier, first, own, arguments, call)
        earlier.judge(server.asked[0].body)
        history = [*history, {"role": "assistant", "content": None, "tool_calls": made}]
        if own == "weather.now":
            history += [{"role": "tool", "tool_call_id": made[0]["id"], "content": f"Sunny in {arguments}"}]
    identities = [each["id"] for message in history for each in message.get("tool_calls", ())]
    assert len(set(identities)) == 3, "the ids that are handed out are unique"
    for more in ({"tools": TOOLS}, {}):
        server.answer(Script(later.says("Fine.")))
        later.provider.invoke(a_call(later, server.url, {"input": {"messages": history, **more}}, {}))
        later.judge(server.asked[0].body)
        sent = json.dumps(server.asked[0].body, ensure_ascii=False)
        for part in ("Ulm", "Bonn", "Sunny in", "was not carried out"):
            assert part in sent
