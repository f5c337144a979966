"""Many embeddings by OpenAI's format: in several requests, in words or packed, and held as numbers."""

import base64
import json
import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import BadOutput
from broker.packed_numbers import Vectors
from broker.providers.azure import Azure
from broker.providers.openai.provider import OpenAI
from broker.providers.wire.base import Call
from broker.providers.wire.embeddings import from_base64

from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def call(url: str, task: str, **more: Any) -> Call:
    return Call(task, "small", parameters={}, timeout=20, secret="key", endpoint=url, **more)


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_many_embeddings_come_in_several_requests_and_packed_where_the_service_surely_packs(
    server: ProviderServer,
) -> None:
    def rows(count: int, form: str) -> dict[str, Any]:
        vector = packed(0.5, -1e-9) if form == "base64" else [0.5, -1e-9]
        return {"data": [{"index": each, "embedding": vector} for each in range(count)], "usage": {"prompt_tokens": 3}}

    for adapter, form, batches in ((Azure(), "base64", [256, 44]), (OpenAI(), None, [64, 64, 64, 64, 44])):
        server.asked.clear()
        server.answer(*(Script(rows(count, str(form))) for count in batches))
        answer = adapter.invoke(call(server.url, "embed", input={"text": ["a"] * 300}))
        vectors = answer.output["embeddings"]
        assert [len(vectors), answer.input_tokens] == [300, 3 * len(batches)]
        assert vectors[299] == pytest.approx([0.5, -1e-9])
        assert [len(each.body["input"]) for each in server.asked] == batches
        assert {each.body.get("encoding_format") for each in server.asked} == {form}


def test_a_few_embeddings_are_asked_for_as_ever_and_taken_in_either_form(server: ProviderServer) -> None:
    server.answer(Script({"data": [{"index": 0, "embedding": packed(0.5, -2)}]}))
    answer = OpenAI().invoke(call(server.url, "embed", input={"text": "a"}, options={"dimensions": 2}))
    assert answer.output == {"embeddings": [[0.5, -2]]}
    assert server.asked[0].body == {"model": "small", "input": ["a"], "dimensions": 2}


@pytest.mark.parametrize("wrong", ["", "!", "AAA=", packed(math.inf), packed(math.nan), "é"])
def test_what_is_no_packed_embedding_is_bad_output(server: ProviderServer, wrong: str) -> None:
    server.answer(Script({"data": [{"index": 0, "embedding": wrong}]}))
    with pytest.raises(BadOutput):
        OpenAI().invoke(call(server.url, "embed", input={"text": "a"}))


def test_what_is_packed_says_in_nine_digits_what_it_said() -> None:
    source = random.Random(4)
    numbers = [source.gauss(0, 0.02) for _ in range(2_000)]
    vectors = Vectors()
    vectors.add([from_base64(packed(*numbers)), numbers])
    single, double = (json.loads(text) for text in vectors.texts())
    assert struct.pack("<2000f", *single) == struct.pack("<2000f", *numbers)
    assert double == numbers
