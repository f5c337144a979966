"""The walk: every text that a model or a client sees, each with its place and whose words it is."""

from typing import Any

import pytest
from broker.guardrails.walk import SEAM, Seen, input_texts, output_texts
from hypothesis import given
from hypothesis import strategies as st

CARD = "4111111111111111"

REQUEST: dict[str, Any] = {
    "task": "chat",
    "model": "the model",
    "input": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "blue"}, {"type": "text", "text": "bird"}]},
            {"role": "tool", "tool_call_id": "call-1", "content": "rain"},
        ],
        "tools": [{"type": "function", "function": {"name": "search", "parameters": {"properties": {"where": {}}}}}],
    },
    "parameters": {"stop": ["END"], "temperature": 0.2},
    "output_schema": {"properties": {"a": {"description": "an a", "enum": ["x", None, True, 3]}}},
    "metadata": {"order": "17"},
    "webhook": {"url": "https://example.com"},
}


def alone(texts: list[Seen]) -> list[tuple[str, str]]:
    return [(str(each.path), each.text) for each in texts if each.seam is None and not each.is_key]


def test_all_that_a_model_reads_is_there_in_order() -> None:
    assert alone(list(input_texts(REQUEST))) == [
        ("input.messages.0.role", "system"),
        ("input.messages.0.content", "Be brief."),
        ("input.messages.1.role", "user"),
        ("input.messages.1.content.0.type", "text"),
        ("input.messages.1.content.0.text", "blue"),
        ("input.messages.1.content.1.type", "text"),
        ("input.messages.1.content.1.text", "bird"),
        ("input.messages.2.role", "tool"),
        ("input.messages.2.tool_call_id", "call-1"),
        ("input.messages.2.content", "rain"),
        ("input.tools.0.type", "function"),
        ("input.tools.0.function.name", "search"),
        ("parameters.stop.0", "END"),
        ("output_schema.properties.*0.description", "an a"),
        ("output_schema.properties.*0.enum.0", "x"),
    ]


def test_whose_words_they_are() -> None:
    sources = {each.text: each.source for each in input_texts(REQUEST)}
    assert [sources[text] for text in ("Be brief.", "blue", "rain", "search", "END", "x")] == [
        *("operator", "user", "untrusted", "operator", "operator", "operator")
    ]
    assert {each.source for each in output_texts({"text": "Hello", "tool_calls": [{"arguments": "{}"}]})} == {"model"}


def test_the_names_of_things_are_texts_too() -> None:
    keys = [each.text for each in input_texts(REQUEST) if each.is_key]
    assert keys == ["where", "stop", "a"]
    hidden = {"input": {"messages": [{"role": "user", "content": "hi", CARD: 1}], "body": {"deep": {CARD: {}}}}}
    assert [str(each.path) for each in input_texts(hidden) if each.text == CARD] == [
        "input.messages.0",
        "input.body.*0",
    ]


@pytest.mark.parametrize("parts", [["a" * 9, "b" * 9], ["a" * 400, "b" * 400], ["a", "b", "c", "d"], ["a", "", "b"]])
def test_what_stands_on_both_sides_of_a_seam_is_also_read_as_one(parts: list[str]) -> None:
    content = [{"type": "text", "text": each} for each in parts]
    seams = [each for each in input_texts({"input": {"messages": [{"role": "user", "content": content}]}}) if each.seam]
    whole = "".join(parts)
    (seam,) = [each for each in seams if each.seam == "parts"]
    middle = len(parts[0])
    assert seam.text == whole[max(middle - SEAM, 0) : len(whole[:-1]) + SEAM][: len(seam.text)]
    for piece, following in zip(seam.pieces, [*(p.begin for p in seam.pieces[1:]), len(seam.text)], strict=True):
        text = content[int(piece.path.steps()[4])]["text"]
        length = following - piece.begin
        assert text[piece.offset : piece.offset + length] == seam.text[piece.begin : following]


def test_messages_that_follow_each_other_have_a_seam() -> None:
    said = [{"role": "user", "content": "x" * 1000 + CARD[:8]}, {"role": "user", "content": [{"text": CARD[8:]}]}]
    (seam,) = [each for each in input_texts({"input": {"messages": said}}) if each.seam == "messages"]
    assert CARD in seam.text and len(seam.text) == SEAM + 8
    assert [str(piece.path) for piece in seam.pieces] == ["input.messages.0.content", "input.messages.1.content.0.text"]


def test_many_seams_cost_no_more_than_the_texts() -> None:
    said = [{"role": "user", "content": "ab"} for _ in range(2000)]
    seams = [each for each in input_texts({"input": {"messages": said}}) if each.seam]
    assert sum(len(each.text) for each in seams) == 4000
    far = [{"role": "user", "content": "y" * 10_000} for _ in range(50)]
    seams = [each for each in input_texts({"input": {"messages": far}}) if each.seam]
    assert sum(len(each.text) for each in seams) == 49 * 2 * SEAM
    assert max(len(each.pieces) for each in seams) == 2


def test_an_answer_is_read_whole() -> None:
    output = {"text": "Hello", "tool_calls": [{"arguments": '{"a": 1}'}], "json": {"a": ["b"]}, "vectors": [[0.5, 1.0]]}
    assert alone(list(output_texts(output))) == [
        ("output.text", "Hello"),
        ("output.tool_calls.0.arguments", '{"a": 1}'),
        ("output.json.*0.0", "b"),
    ]
    assert list(output_texts({})) == list(output_texts(None)) == list(input_texts({})) == []


def test_a_place_tells_nothing_of_what_callers_call_their_fields() -> None:
    hidden = {"Ada Lovelace": {"text": "x", "ada@example.com": ["y", {"id": "z", CARD: "w"}]}, "Ada's": "v"}
    for texts in (input_texts({"input": {"body": hidden}}), output_texts({"body": hidden})):
        places = {each.text: str(each.path).partition("body.")[2] for each in texts if not (each.is_key or each.seam)}
        assert places == {"x": "*0.text", "y": "*0.*1.0", "z": "*0.*1.1.id", "w": "*0.*1.1.*1", "v": "*1"}


def test_a_document_may_be_nested_deeper_than_python() -> None:
    deep: Any = "at the bottom"
    for _ in range(5000):
        deep = [deep]
    (seen,) = (each for each in output_texts({"deep": deep}) if not each.is_key)
    assert (seen.text, seen.path.steps().count(0)) == ("at the bottom", 5000)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(max_value=10**11 - 1, min_value=1 - 10**11) | st.text("ab"),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=4),
    )
)
def test_every_text_and_every_name_comes_once(document: Any) -> None:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, dict):
            return [*value, *(text for each in value.values() for text in leaves(each))]
        return [text for each in value for text in leaves(each)] if isinstance(value, list) else []

    seen = [each.text for each in output_texts({"text": document}) if each.seam is None]
    assert sorted(seen) == sorted(leaves(document))


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (10**11 - 1, 0),
        (4111111111111111, 1),
        (4111111111111111.0, 1),
        (-4111111111111111, 1),
        (10**19, 0),
        (10**4000, 0),
    ],
)
def test_numbers_as_long_as_a_card_are_read(number: float, seen: int) -> None:
    for document in ({"n": number}, {"n": [number]}, {"n": [0.5, number]}, {"n": [number, "x"]}):
        texts = [each.text for each in output_texts({"json": document}) if each.text == CARD]
        assert len(texts) == seen


BYTES = f"AAAA{CARD}BBBB"


def test_the_bytes_of_a_picture_are_no_text_where_the_contract_has_them() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BYTES}"}},
        {"type": "image_url", "image_url": f"data:image/png;base64,{BYTES}"},
        {"type": "input_audio", "input_audio": {"data": BYTES, "format": "wav"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BYTES}", "filename": "a"}},
    ]
    file = {"data": BYTES, "media_type": "audio/wav"}
    request = {"input": {"messages": [{"role": "user", "content": content}], "file": file}}
    assert not any(BYTES in each.text for each in input_texts(request))


@pytest.mark.parametrize(
    "given_",
    [
        {"text": f"data:image/png;base64,{BYTES}"},
        {"body": {"media_type": "image/png", "data": BYTES}},
        {"file": {"data": f"{BYTES} and more", "media_type": "image/png"}},
        {"messages": [{"role": "user", "content": f"data:image/png;base64,{BYTES}"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": f"data:image/png;base64,{BYTES}"}]}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": f"data:text/plain;base64,{BYTES}"}]}
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": f"data:image/png;base64,{BYTES} x"}]}
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "x", "media_type": "image/png", "data": BYTES}]}]},
        {"messages": [{"role": "user", "content": "x", "image_url": {"url": f"data:image/png;base64,{BYTES}"}}]},
    ],
)
def test_what_only_looks_like_a_picture_is_read(given_: dict[str, Any]) -> None:
    assert any(BYTES in each.text for each in input_texts({"input": given_}))


def test_marks_of_values_that_are_not_closed_take_linear_time() -> None:
    text = "<data_0123456789ab>" * 100_000 + "".join(f"<data_{number:012x}>" for number in range(100_000))
    request = {"input": {"messages": [{"role": "system", "content": text}]}}
    assert [each for each in input_texts(request) if each.again] == []
