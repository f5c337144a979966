"""Odd replies, over a real connection: what can be understood is, and the rest has its class and its price."""

import json
from collections.abc import Iterator

import pytest
from broker.providers.wire.base import Call

from tests.unit.dialects.base import MODEL, SECRET
from tests.unit.dialects.odd import CITY, Odd
from tests.unit.dialects.odd_replies import ODD
from tests.unit.dialects.table import DIALECTS, failed
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def call_of(row: Odd, endpoint: str) -> Call:
    given = {"text": "What is my diagnosis?"} | ({} if row.schema else {"tools": [CITY]})
    return Call("chat", MODEL, given, {}, 20, SECRET, endpoint, row.schema)


@pytest.mark.parametrize(
    "row", [row for row in ODD.values() if not row.error], ids=[n for n in ODD if not ODD[n].error]
)
def test_an_odd_reply_that_is_good_is_understood(server: ProviderServer, row: Odd) -> None:
    dialect = DIALECTS[row.provider]()
    server.answer(Script(row.body, headers=row.headers))
    answer = dialect.provider.invoke(call_of(row, dialect.endpoint(server.url)))
    made = [json.loads(each["function"]["arguments"]) for each in answer.output.get("tool_calls", [])]
    assert made == (row.calls or [])
    assert answer.output.get("json") == row.json
    assert row.text in (None, answer.output["text"])
    assert row.finish in (None, answer.finish_reason)
    tokens = (answer.input_tokens, answer.output_tokens)
    assert tokens == row.tokens or (row.tokens is None and min(tokens) > 0)


@pytest.mark.parametrize("row", [row for row in ODD.values() if row.error], ids=[n for n in ODD if ODD[n].error])
def test_an_odd_reply_that_is_none_has_its_class_and_its_price(server: ProviderServer, row: Odd) -> None:
    dialect = DIALECTS[row.provider]()
    error = failed(server, dialect, call_of(row, dialect.endpoint(server.url)), Script(row.body, headers=row.headers))
    assert type(error) is row.error
    assert row.code in (None, error.code)
    assert error.tokens == row.tokens
