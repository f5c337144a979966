"""The texts: all that a model reads and all that a client reads, each with its place."""

from typing import Any

import pytest
from broker.guardrails.policy import Policy
from broker.guardrails.text_places import Joined, input_texts, output_texts
from hypothesis import given
from hypothesis import strategies as st

REQUEST: dict[str, Any] = {
    "task": "chat",
    "model": "the model",
    "input": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "blue"}, {"type": "text", "text": "bird"}]},
        ],
        "tools": [{"name": "search", "parameters": {"description": "finds"}}],
    },
    "parameters": {"stop": ["END"], "temperature": 0.2},
    "output_schema": {"properties": {"a": {"description": "an a", "enum": ["x", None, True, 3]}}},
    "metadata": {"order": "17"},
    "webhook": {"url": "https://example.com"},
}


def test_all_that_a_model_reads_is_there_in_order() -> None:
    assert list(input_texts(REQUEST)) == [
        ("input.messages.0.role", "system"),
        ("input.messages.0.content", "Be brief."),
        ("input.messages.1.role", "user"),
        ("input.messages.1.content", "bluebird"),
        ("input.messages.1.content.0.type", "text"),
        ("input.messages.1.content.0.text", "blue"),
        ("input.messages.1.content.1.type", "text"),
        ("input.messages.1.content.1.text", "bird"),
        ("input.tools.0.name", "search"),
        ("input.tools.0.parameters.description", "finds"),
        ("parameters.stop.0", "END"),
        ("output_schema.properties.a.description", "an a"),
        ("output_schema.properties.a.enum.0", "x"),
    ]


def test_only_joined_parts_are_joined() -> None:
    joined = [text for _, text in input_texts(REQUEST) if isinstance(text, Joined)]
    assert joined == ["bluebird"]


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ([{"text": "a"}], []),
        ([{"text": "a"}, {"image": "b"}, {"text": "c"}], ["ac"]),
        ([{"text": "a"}, {"text": 5}, "b"], []),
        (["a", "b"], []),
        ([], []),
    ],
)
def test_parts_are_joined_where_there_are_several(parts: list[Any], joined: list[str]) -> None:
    texts = input_texts({"input": {"messages": [{"content": parts}]}})
    assert [text for _, text in texts if isinstance(text, Joined)] == joined


def test_an_answer_is_read_whole() -> None:
    output = {"text": "Hello", "tool_calls": [{"arguments": '{"a": 1}'}], "json": {"a": ["b"]}}
    assert list(output_texts(output)) == [
        ("output.text", "Hello"),
        ("output.tool_calls.0.arguments", '{"a": 1}'),
        ("output.json.a.0", "b"),
    ]
    assert list(output_texts({})) == []
    assert list(input_texts({})) == []


def test_a_document_may_be_nested_deeper_than_python() -> None:
    deep: Any = "at the bottom"
    for _ in range(5000):
        deep = [deep]
    ((place, text),) = output_texts({"deep": deep})
    assert (text, place.count(".0")) == ("at the bottom", 5000)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(max_value=10**12 - 1, min_value=1 - 10**12) | st.text("ab"),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=4),
    )
)
def test_every_text_comes_once(document: Any) -> None:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [text for each in inner for text in leaves(each)]

    assert [text for _, text in output_texts({"a": document})] == leaves(document)


@pytest.mark.parametrize(("number", "seen"), [(10**12 - 1, 0), (4111111111111111, 1), (10**19, 0), (-(10**4000), 0)])
def test_numbers_as_long_as_a_card_are_read(number: int, seen: int) -> None:
    assert len(list(output_texts({"json": {"n": number}}))) == seen


def test_a_policy_is_on_where_nothing_is_said() -> None:
    assert Policy.from_item({}) == Policy()
    assert Policy().block_secrets and Policy().block_card_numbers
    item = {"denied_terms": ["a", "b"], "block_secrets": False, "max_input_chars": 5, "of a later version": 1}
    assert Policy.from_item(item) == Policy(max_input_chars=5, denied_terms=("a", "b"), block_secrets=False)


CARD_IN_BYTES = "AAAA4111111111111111BBBB"


def test_the_bytes_of_a_picture_are_no_text() -> None:
    url = {"url": f"data:image/png;base64,{CARD_IN_BYTES}"}
    message = {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": url}]}
    file = {"data": CARD_IN_BYTES, "media_type": "audio/wav"}
    texts = [text for _, text in input_texts({"input": {"messages": [message], "file": file}})]
    assert "Look." in texts
    assert not any(CARD_IN_BYTES in text for text in texts)


def test_what_only_looks_like_a_picture_is_read() -> None:
    for hidden in ("data:text/plain;base64,QUFB", "data:image/png;base64,4111 1111 1111 1111", "data: my card"):
        assert hidden in [text for _, text in input_texts({"input": {"text": hidden}})]
