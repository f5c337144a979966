"""Estimates of tokens: held against what tokenizers counted, and media that never count as text."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from broker.token_estimates import (
    FAMILIES,
    PICTURES,
    UNDER,
    UNSEEN,
    WEIGHTS,
    estimate,
    estimate_input,
    estimate_message,
    family_of,
)

MEASURED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("tokens_measured.json").read_text())
"""Texts of our own, and what tokenizers made of them; from which packages is in the decision on tokens."""

KNOWN = sorted(MEASURED[0]["tokens"])

PICTURE = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUg" * 20_000


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("measured", MEASURED, ids=lambda each: each["kind"])
def test_an_estimate_is_within_the_stated_error(measured: dict[str, Any], family: str) -> None:
    count, guess = measured["tokens"][family], estimate(measured["text"], family)
    assert guess >= (1 - UNDER) * count
    assert guess <= 2.7 * count


@pytest.mark.parametrize("family", KNOWN)
def test_it_errs_on_the_high_side_and_not_by_much(family: str) -> None:
    ratios = sorted(estimate(each["text"], family) / each["tokens"][family] for each in MEASURED)
    assert 1 <= ratios[len(ratios) // 2] <= 1.3


@pytest.mark.parametrize("measured", MEASURED, ids=lambda each: each["kind"])
def test_an_unknown_family_is_taken_for_the_one_with_the_most(measured: dict[str, Any]) -> None:
    assert estimate(measured["text"]) >= 0.9 * max(measured["tokens"].values())


def test_every_family_has_every_weight() -> None:
    assert {len(weights) for weights in WEIGHTS.values()} == {len(FAMILIES)}
    assert PICTURES.keys() == set(FAMILIES) == {*KNOWN, "claude", "unknown"}


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 1, 1),
        ("Hi", 1, 4),
        (" " * 4096, 50, 350),
        ("\n" * 100, 10, 260),
        ("a" * 3000, 1500, 3000),
        ("9" * 300, 100, 400),
    ],
)
def test_odd_texts(text: str, least: int, most: int) -> None:
    for family in (None, *FAMILIES):
        assert least <= estimate(text, family) <= most


def test_twice_the_text_is_twice_the_tokens() -> None:
    for each in MEASURED:
        once, twice = estimate(each["text"] + "\n"), estimate((each["text"] + "\n") * 2)
        assert abs(twice - 2 * once) <= 2


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-mini", "openai"),
        ("o3", "openai"),
        ("openai/gpt-oss-20b", "openai"),
        ("text-embedding-3-small", "openai"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude_until_4_6"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude_until_4_6"),
        ("claude-sonnet-4-20250514", "claude_until_4_6"),
        ("claude-opus-4-7", "claude"),
        ("claude-opus-5-5", "claude"),
        ("meta.llama3-1-70b-instruct-v1:0", "llama"),
        ("gemini-2.5-flash", "gemini"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mistral"),
        ("amazon.nova-pro-v1:0", "unknown"),
        ("amazon.titan-embed-text-v2:0", "unknown"),
        ("cohere.command-r-plus-v1:0", "unknown"),
        ("video1", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_family_is_read_from_the_name(name: str, family: str) -> None:
    assert family_of(name) == family


def test_a_request_is_more_than_its_texts() -> None:
    message = {"role": "user", "content": "How are you?"}
    plain = estimate_input({"input": {"messages": [message]}}, "openai")
    assert plain > estimate("How are you?", "openai")
    assert estimate_input({"input": {"messages": [message, message]}}, "openai") > 2 * plain - 6
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    assert estimate_input({"input": {"messages": [message], "tools": tools}}, "openai") > plain + 300
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    assert estimate_input({"input": {"messages": [message]}, "output_schema": schema}, "openai") > plain + 10
    assert estimate_input({"input": {"text": ["How are you?"] * 50}}, "openai") > 150
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    assert estimate_message({"role": "assistant", "content": None, "tool_calls": [call]}) > 15
    assert estimate_input({}) >= 1


def test_a_picture_counts_by_the_table_whatever_its_bytes() -> None:
    def message(part: dict[str, Any]) -> dict[str, Any]:
        return {"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}

    bare = estimate_message({"role": "user", "content": "What is this?"}, "openai")
    for part in (
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_image", "image_url": PICTURE},
    ):
        extra = estimate_message(message(part), "openai") - bare
        assert PICTURES["openai"] <= extra <= PICTURES["openai"] + 10
    small = message({"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}})
    assert estimate_message(small, "openai") - bare < 100
    file = {"data": PICTURE.split(",")[1], "media_type": "image/png"}
    assert estimate_input({"input": {"file": file}}, "gemini") == PICTURES["gemini"] + 3


def test_sounds_and_documents_count_by_their_size() -> None:
    data = base64.b64encode(bytes(120_000)).decode()
    sound = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}
    assert 900 <= estimate_message(sound) <= 1_100  # half a minute
    page = {"input": {"file": {"data": data, "media_type": "application/pdf"}}}
    assert 6_000 <= estimate_input(page) <= 7_000
    assert estimate_input({"input": {"file": {"s3": "s3://inbox/acme/scan.pdf"}}}) == UNSEEN + 3
    assert estimate_input({"input": {"file": {"s3": "s3://inbox/acme/scan.JPG"}}}, "openai") == PICTURES["openai"] + 3
