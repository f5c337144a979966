"""A schema whose root is no object goes to a provider in one, and its answer is taken out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput
from broker.providers import lookup
from broker.providers.wire.base import Answer
from broker.providers.wire.wrapping import is_plain, unwrapped, wrapped
from jsonschema import Draft202012Validator

from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.history_case import ASK, LIST, a_call
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.mark.parametrize(
    ("schema", "value", "other"),
    [
        (LIST, [1], ["x"]),
        ({"enum": [1, "x"]}, "x", 2),
        ({"items": {"$ref": "#/$defs/n"}, "type": "array", "$defs": {"n": {"type": "integer"}}}, [1], ["x"]),
        ({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]}, [[None]], ["x"]),
        ({"type": ["object", "null"], "$id": "https://x.example/a"}, None, 1),
    ],
)
def test_a_schema_means_the_same_when_it_is_wrapped(schema: dict[str, Any], value: Any, other: Any) -> None:
    assert not is_plain(schema)
    outer = wrapped(schema)
    assert is_plain(outer)
    Draft202012Validator.check_schema(outer)
    assert Draft202012Validator(outer).is_valid({"value": value})
    assert not Draft202012Validator(outer).is_valid({"value": other})
    assert unwrapped(json.dumps({"value": value})) == json.dumps(value)


def test_an_answer_to_a_list_comes_in_an_object_and_is_taken_out(server: ProviderServer) -> None:
    server.answer(Script(OpenAIDialect().says('{"value": [1, 2]}')))
    call = replace(a_call(ASK), output_schema=LIST, endpoint=server.url)
    answer = lookup("openai").invoke(call)
    assert isinstance(answer, Answer)
    assert answer.output == {"text": "[1, 2]", "finish_reason": "stop", "json": [1, 2]}
    assert is_plain(server.asked[0].body["response_format"]["json_schema"]["schema"])


@pytest.mark.parametrize("said", ["[1, 2]", "\ufeff[1, 2]", '```json\n{"value": [1, 2]}\n```', 'So: {"value": [1, 2]}'])
def test_a_list_is_found_however_a_server_gives_it(server: ProviderServer, said: str) -> None:
    server.answer(Script(OpenAIDialect().says(said)))
    answer = lookup("openai").invoke(replace(a_call(ASK), output_schema=LIST, endpoint=server.url))
    assert isinstance(answer, Answer)
    assert answer.output["json"] == [1, 2]


def test_what_misses_the_schema_is_told_by_the_callers_own(server: ProviderServer) -> None:
    server.answer(Script(OpenAIDialect().says('{"value": ["x"]}')))
    with pytest.raises(BadOutput) as caught:
        lookup("openai").invoke(replace(a_call(ASK), output_schema=LIST, endpoint=server.url))
    assert caught.value.message.endswith(" at items/type.")
    assert (caught.value.code, caught.value.tokens) == ("schema_not_met", (7, 3))
