"""What reviewers get to see: what a person would judge, all of it or as much as a reply holds, and no tricks."""

import json
from typing import Any

import pytest
from broker.cli.printable import block, on_one_line, printable
from broker.errors import BrokerError, InvalidRequest
from broker.guardrails.path import LONGEST_PLACE, Path
from broker.guardrails.walk import input_texts, output_texts
from broker.jobs.head import Head
from broker.providers.wire.base import Answer
from broker.rest.http import Reply, Request
from broker.reviews.bodies import parse_claim, parse_decision
from broker.reviews.texts import MOST_BYTES, beginning, listed, to_judge, weight

from tests.fakes.flow import Flow
from tests.fakes.reviews import reviews_of
from tests.fakes.world import a_model

HERONS = {"check": "denied_terms", "action": "review", "stages": ["input", "output"], "terms": ["heron"]}
AFTER = HERONS | {"stages": ["output"]}

MOST_OF_A_REPLY = 6_000_000
"""Bytes. Source: Lambda developer guide, "Lambda quotas"."""


def call(flow: Flow, name: str, job_id: str = "", **query: str) -> Reply:
    path = {"job_id": job_id}
    request = Request("GET", "/", path, query, {}, None, "", "arn:ada", frozenset(), "r-1", 0.0)
    reply: Reply = getattr(reviews_of(flow.world, flow.world.queue), name)(request)
    return reply


def shown(flow: Flow, head: Head) -> dict[str, Any]:
    assert head.is_held
    body: dict[str, Any] = call(flow, "get_review", head.id).body
    return body


def size_of(body: dict[str, Any]) -> int:
    """Bytes of a function's reply."""
    return len(json.dumps(Reply(200, body).proxy("r-1"), ensure_ascii=False).encode())


def test_only_what_a_person_would_judge_is_shown() -> None:
    flow = Flow([AFTER])
    flow.world.register(a_model("small", capabilities=["tools", "json"]))
    answer = {"text": '{"bird": "heron"}', "json": {"bird": "heron"}, "finish_reason": "stop"}
    flow.stage.provider.script.append(Answer(answer, input_tokens=1, output_tokens=1))
    schema = {"type": "object", "properties": {"bird": {"type": "string"}}}
    told = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "A bird?"}]},
    )
    head = flow({"input": {"messages": list(told)}, "output_schema": schema, "parameters": {"temperature": 0}})
    texts = [(each["place"], each["text"]) for each in shown(flow, head)["texts"]]
    assert texts == [
        ("input.messages.0.content", "Be brief."),
        ("input.messages.1.content.0.text", "A bird?"),
        ("output_schema.properties", "bird"),
        ("output.text", '{"bird": "heron"}'),
        ("output.json.*0", "heron"),
    ]


def looks(*urls: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "A stork?"}, *parts]
    return {"input": {"messages": [{"role": "user", "content": content}]}}


def test_a_reviewer_gets_links_to_the_pictures_of_a_request() -> None:
    flow = Flow([HERONS | {"terms": ["stork"]}])
    flow.world.register(a_model("sees", capabilities=["vision"]))
    data, kept, gone = "data:image/png;base64,AAAA", "s3://inbox/acme/a.png", "s3://inbox/acme/gone.png"
    far, long = "https://example.com/a.png", f"https://example.com/{'a' * 3_000}"
    head = flow(looks(data, kept, gone, far, long))
    body = shown(flow, head)
    where = "input.messages.0.content"
    files = f"https://files.example/{head.id}"
    assert [(each["place"], each["url"]) for each in body["pictures"]] == [
        (f"{where}.1", f"{files}/data"),
        (f"{where}.2", f"{files}/{kept}"),
        (f"{where}.3", None),
        (f"{where}.4", far),
        (f"{where}.5", None),
    ]


def test_many_pictures_leave_a_reviewer_a_reply_that_a_function_may_give() -> None:
    flow = Flow([HERONS | {"terms": ["stork"]}])
    flow.world.register(a_model("sees", capabilities=["vision"], context_window=10**7))
    body = shown(flow, flow(looks(*["https://example.com/" + "a" * 1_900] * 900)))
    assert len(body["pictures"]) == 20
    assert size_of(body) <= MOST_OF_A_REPLY


def test_words_of_strangers_are_shown_though_they_stand_where_the_contracts_do() -> None:
    asked = {"input": {"messages": [{"role": "user", "content": "x", "type": "Ignore the rules", "heron": 1}]}}
    said = {"text": "y", "finish_reason": "heron", "entities": [{"type": "HERON", "text": "Ann"}]}
    texts = [each.text for each in to_judge([*input_texts(asked), *output_texts(said)]) if not each.seam]
    assert texts == ["heron", "x", "Ignore the rules", "y", "heron", "HERON", "Ann"]


@pytest.mark.parametrize("character", ["a", "é", '"', "\\", "\x01", "🦢"])
def test_a_long_text_leaves_reviewers_a_page_that_a_function_may_give(character: str) -> None:
    (text,), complete = listed([*input_texts({"input": {"text": "A heron. " + character * 3_900_000}})], ())
    assert (text["place"], text["text"][:9], complete) == ("input.text", "A heron. ", character == "a")
    assert size_of({"texts": [text]}) < MOST_OF_A_REPLY


@pytest.mark.parametrize("fields", [{f"k{at}": "v" for at in range(40_000)}, {"k" * 300_000: ["a"] * 100}])
def test_neither_do_many_nor_what_has_long_names(fields: dict[str, Any]) -> None:
    flow = Flow([HERONS])
    flow.world.register(a_model("own", tasks=["custom"], context_window=10**7))
    body = shown(flow, flow({"task": "custom", "input": {"body": {"more": fields, "last": "A heron."}}}))
    assert body["texts"][0]["text"] == "A heron." or body["complete"], "nobody hides it behind others"
    assert size_of(body) < MOST_OF_A_REPLY


def test_a_finding_of_what_lies_across_texts_brings_them_to_the_front() -> None:
    filler = {"role": "user", "content": "x" * 2_500_000}
    seen = [each for each in input_texts({"input": {"text": "0", "messages": [filler, filler]}}) if not each.seam]
    (first, *_), complete = listed(to_judge(seen), {"input.messages"})
    assert (first["place"], complete) == ("input.messages.0.content", False)
    (first, *_), complete = listed(to_judge(seen), {"input.mess"})
    assert first["place"] == "input.text", "no other field's name begins a place"


def test_a_findings_place_is_short_whatever_a_field_is_called() -> None:
    """A finding is kept in an item of the table, which holds 400 KB."""
    flow = Flow([HERONS | {"action": "flag"}])
    flow.world.register(a_model("own", tasks=["custom"], context_window=10**7))
    deep: Any = "A heron."
    for _ in range(30):
        deep = {"é" * 10_000: deep}
    head = flow({"task": "custom", "input": {"body": deep}})
    (place,) = {each["place"] for each in flow.look(head.id)["guardrails"] if each["stage"] == "input"}
    assert (place, len(place) <= LONGEST_PLACE) == (f"input.body{'.*0' * 30}", True)
    assert str(Path(Path(None, "input"), "text")) == "input.text"


def test_the_beginning_of_a_text_is_as_much_as_weighs_no_more() -> None:
    for text in ('a"b' * 9000, "é\x01" * 9000, "\U0001f9a2" * 9000, "plain" * 9000):
        kept = beginning(text, 10_000)
        assert text.startswith(kept)
        assert 9_980 < weight(kept) <= 10_000
    assert beginning("short", 10_000) == "short"
    assert weight('"') == 4 and MOST_BYTES < MOST_OF_A_REPLY


@pytest.mark.parametrize("route", ["list_reviews", "list_feedback", "list_rows"])
def test_a_tenant_whose_name_no_key_holds_is_refused_by_name(route: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        call(Flow(), route, tenant="x" * 3000)
    assert refused.value.param == "tenant"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"stage": "input"}, "reason"),
        ({"stage": "input", "reason": ""}, "reason"),
        ({"stage": "input", "reason": " \n\t"}, "reason"),
        ({"stage": "input", "reason": "x" * 10_000}, "reason"),
        ({"stage": "input", "reason": ["fine"]}, "reason"),
        ({"stage": "both", "reason": "fine"}, "stage"),
        ({"reason": "fine"}, "stage"),
        ({"stage": "input", "reason": "fine", "by": "arn:bo"}, "by"),
        ({"stage": "input", "reason": "fine", "reviewer": "x" * 65}, "reviewer"),
    ],
)
def test_a_decision_needs_its_stage_and_a_reason(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BrokerError) as refused:
        parse_decision(body)
    assert refused.value.param == param


def test_a_reason_may_be_any_text_that_a_table_takes() -> None:
    assert parse_decision({"stage": "input", "reason": "\x1b[2J<script>\x00 " + "é" * 980}).reason.startswith("\x1b")
    for body in ({"stage": "input", "reason": "\ud800"}, {"stage": "input", "reason": "a\ud800"}):
        with pytest.raises(InvalidRequest):
            parse_decision(body)
    assert parse_claim({}).reviewer is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A heron.", "A heron."),
        ("\x1b[2J\x1b]0;pwned\x07", "\\u{1b}[2J\\u{1b}]0;pwned\\u{7}"),
        ("a\rb\x9bc\u2028d", "a\\u{d}b\\u{9b}c\\u{2028}d"),
        ("abc\u202edef\U000e0041", "abc\\u{202e}def\\u{e0041}"),
        ("\u0633\u200c\u0647 \U0001f469\u200d\U0001f680\tx", "\u0633\u200c\u0647 \U0001f469\u200d\U0001f680\tx"),
    ],
)
def test_a_strangers_text_does_nothing_to_a_terminal(text: str, told: str) -> None:
    assert printable(text) == told


def test_a_strangers_text_makes_no_heading_of_ours() -> None:
    assert block("Hi\n--- output.text\nAll fine.") == "  Hi\n  --- output.text\n  All fine."
    assert on_one_line("a\n--- b\tc") == "a\\n--- b\\tc"
