"""Redaction: what goes out, what comes back, and that nothing else changes."""

import json
from typing import Any

import pytest
from broker.guardrails.edits import Edit
from broker.guardrails.pipeline import inspect
from broker.guardrails.placeholders import Placeholders, placeholders_in, restored
from broker.guardrails.policy import Action, Policy, Rule
from broker.guardrails.redaction import hashed, masked, redacted
from broker.guardrails.walk import input_texts, output_texts
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.sampled_from(["ann@example.com", "bob@example.com", 'a "quoted" \\ value\n', "4111111111111111", "née"])
TEXTS = st.lists(st.tuples(st.text("ab<_1> "), VALUES), min_size=1, max_size=6)


def out(text: Any, *edits: Edit, names: Placeholders | None = None) -> Any:
    return redacted({"input": {"text": text}}, {("input", "text"): edits}, names or Placeholders(), b"k")["input"][
        "text"
    ]


def test_the_same_value_has_the_same_placeholder() -> None:
    names = Placeholders()
    text = "ann, bob, ann"
    edits = [Edit(0, 3, "name", "redact"), Edit(5, 8, "name", "redact"), Edit(10, 13, "name", "redact")]
    assert out(text, *edits, names=names) == "<NAME_1>, <NAME_2>, <NAME_1>"
    assert names.mapping == {"NAME_1": "ann", "NAME_2": "bob"}
    assert out("bob", Edit(0, 3, "name", "redact"), names=names) == "<NAME_2>"


def test_a_placeholder_that_the_text_has_already_is_left_to_it() -> None:
    names = Placeholders(placeholders_in(["so <NAME_1> says", "and &lt;NAME_2&gt; too"]))
    assert out("ann", Edit(0, 3, "name", "redact"), names=names) == "<NAME_3>"
    assert restored({"text": "<NAME_1> <NAME_3>"}, names.mapping) == {"text": "<NAME_1> ann"}


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ("4111 1111 1111 1234", "**** **** **** 1234"),
        ("DE89-3704", "****-3704"),
        ("short", "*****"),
        ("née@example.com", "***@******e.com"),
        ("", ""),
        ("ne\u0301e", "****"),
        ("\u0928\u0940\u0932\u092e", "****"),
        ("+49 30-1234", "+** **-1234"),
        ("\u2620\u2620", "**"),
        ("!! ?!", "** **"),
    ],
)
def test_a_mask_keeps_the_form_and_the_last_four(value: str, hidden: str) -> None:
    assert masked(value) == hidden
    assert sum(char.isalnum() for char in masked(value)) <= 4
    assert len(masked(value)) == len(value)


def test_a_hash_is_the_same_for_the_same_value_under_the_same_key() -> None:
    assert hashed("iban", "X1", b"k") == hashed("iban", "X1", b"k") != hashed("iban", "X1", b"other")
    assert hashed("iban", "X1", b"k") != hashed("iban", "X2", b"k")
    assert hashed("iban", "X1", b"k").startswith("<IBAN:") and "X1" not in hashed("iban", "X1", b"k")


@pytest.mark.parametrize("kind", ["1password_token", "", "x" * 99, "née", "api-key"])
def test_every_kind_has_placeholders_that_come_back(kind: str) -> None:
    names = Placeholders()
    sent = [names.of(kind, value) for value in ("ann", "bob", "ann")]
    assert sent[0] == sent[2] != sent[1]
    assert restored(" ".join(sent), names.mapping) == "ann bob ann"


def test_what_others_named_is_taken_in_and_renamed_where_it_clashes() -> None:
    names = Placeholders({"NAME_2"}, {"NAME_1": "ann"})
    assert names.take_in({"NAME_1": "ann", "CITY_1": "Rome"}) == {}
    changed = names.take_in({"NAME_1": "bob", "NAME_4": "ann", "NAME_3": "eve"})
    assert changed == {"NAME_1": "<NAME_3>", "NAME_4": "<NAME_1>", "NAME_3": "<NAME_4>"}
    text = "<NAME_1> met <NAME_4> and <NAME_3>"
    assert restored(restored(text, changed), names.mapping) == "bob met ann and eve"


def test_what_stood_across_a_seam_is_taken_out_of_its_second_part() -> None:
    request = {"input": {"messages": [{"content": [{"text": "an"}, {"text": "n is here"}]}]}, "task": "chat"}
    place = ("input", "messages", 0, "content")
    edits = {(*place, 0, "text"): [Edit(0, 2, "name", "redact", "n")], (*place, 1, "text"): [Edit(0, 1, "", "redact")]}
    names = Placeholders()
    made = redacted(request, edits, names)
    assert names.mapping == {"NAME_1": "ann"}
    assert made["input"]["messages"][0]["content"] == [{"text": "<NAME_1>"}, {"text": " is here"}]
    assert request["input"]["messages"][0]["content"][0]["text"] == "an"  # type: ignore[index]
    assert made["task"] == "chat"


def test_what_is_removed_is_gone() -> None:
    names = Placeholders()
    assert out("Hi <script>x</script>!", Edit(3, 21, "active_html", "remove"), names=names) == "Hi !"
    assert names.mapping == {}


def test_a_number_becomes_a_text() -> None:
    assert out(4111111111111111, Edit(0, 16, "visa", "redact")) == "<VISA_1>"


@given(TEXTS)
def test_what_was_redacted_comes_back(pairs: list[tuple[str, str]]) -> None:
    text, edits = "", []
    for before, value in pairs:
        text += before
        edits.append(Edit(len(text), len(text) + len(value), "name", "redact"))
        text += value
    names = Placeholders(placeholders_in([text]))
    sent = out(text, *edits, names=names)
    assert not any(value in sent for _, value in pairs)
    assert restored(sent, names.mapping) == text


@given(TEXTS)
def test_and_also_in_json_wherever_the_model_put_it(pairs: list[tuple[str, str]]) -> None:
    names = Placeholders()
    places = [names.of("name", value) for _, value in pairs]
    arguments = json.dumps({"first": places, places[0]: f"to {places[-1]} and {places[-1]}"})
    answer = {"text": "".join(places), "tool_calls": [{"function": {"arguments": arguments}}], "n": 1, "f": None}
    back = restored(answer, names.mapping)
    values = [value for _, value in pairs]
    assert back["text"] == "".join(values)
    assert json.loads(back["tool_calls"][0]["function"]["arguments"]) == {
        "first": values,
        values[0]: f"to {values[-1]} and {values[-1]}",
    }
    assert (back["n"], back["f"]) == (1, None)


def test_what_a_model_wrote_in_html_comes_back_too() -> None:
    assert restored("<p>&lt;NAME_1&gt;</p> <NAME_2>", {"NAME_1": "ann"}) == "<p>ann</p> <NAME_2>"
    assert restored(r'{"to": "\u003cNAME_1\u003E"}', {"NAME_1": 'a "b"'}) == r'{"to": "a \"b\""}'


def test_an_answer_may_be_nested_deeper_than_python_goes() -> None:
    deep: Any = "<NAME_1>"
    for _ in range(20_000):
        deep = [deep]
    back = restored(deep, {"NAME_1": "ann"})
    while isinstance(back, list):
        (back,) = back
    assert back == "ann"


def test_a_list_with_very_many_edits_is_copied_once() -> None:
    texts = ["ann"] * 50_000
    edits = {("input", "text", at): [Edit(0, 3, "name", "redact")] for at in range(len(texts))}
    names = Placeholders()
    made = redacted({"input": {"text": texts}}, edits, names)  # with a copy for each it would take minutes
    assert made["input"]["text"] == ["<NAME_1>"] * len(texts)
    assert texts[0] == "ann"


@pytest.mark.parametrize(
    "said",
    [r'{"to": "\u0041nn Lee", "n": 1}', r'{"to": "Ann \u004cee", "n": 1}', r'{"to": "\u0041\u006e\u006e Lee", "n": 1}'],
)
def test_an_escape_in_arguments_of_a_tool_hides_no_value(said: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "mail", "arguments": said}}
    answer = {"output": {"text": "For Ann Lee", "tool_calls": [call]}}
    policy = Policy("p", 1, (Rule("denied_terms", "redact", terms=("Ann Lee",)),))
    names = Placeholders()
    made = redacted(answer, inspect("output", output_texts(answer["output"]), (policy,)).edits, names)["output"]
    arguments = made["tool_calls"][0]["function"]["arguments"]
    assert (made["text"], json.loads(arguments)) == ("For <DENIED_TERM_1>", {"to": "<DENIED_TERM_1>", "n": 1})
    again = restored(made, names.mapping)["tool_calls"][0]["function"]["arguments"]
    assert json.loads(again) == {"to": "Ann Lee", "n": 1}


@pytest.mark.parametrize("told", ["drowssap dna 1111 1111 1111 1114 drac", "cnffjbeq naq 4111 1111 1111 1111"])
@pytest.mark.parametrize("action", ["redact", "mask", "remove"])
def test_what_is_turned_round_is_taken_out_where_it_stands(told: str, action: Action) -> None:
    request = {"input": {"text": told}}
    policy = Policy("p", 1, (Rule("card_numbers", action),))
    made = redacted(request, inspect("input", input_texts(request), (policy,)).edits, Placeholders())
    assert "1111 1111 111" not in str(made)
    assert told[:8] in str(made), "what told of it is no find"


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("pay 4111 1111<!-- x --> 1111 1111 now", "pay  now"),
        ("pay 4111<!-- x --> 1111 <!-- y -->1111 1111 now <!-- z -->", "pay  now "),
        ("so Ann Ann Lee Lee says", "so  says"),
        ("so Ann Ann Ann Lee Lee Lee says", "so  says"),
        ("so Ann <!-- x --> Smith <!-- y --> says", "so Ann  Smith  says"),
    ],
)
def test_what_comes_together_where_something_is_removed_goes_with_it(told: str, left: str) -> None:
    rules = (
        Rule("hidden_text", "remove", kinds=("comment",)),
        Rule("card_numbers", "mask"),
        Rule("denied_terms", "remove", terms=("Ann Lee",)),
    )
    request = {"input": {"text": told}}
    report = inspect("input", input_texts(request), (Policy("p", 1, rules),))
    assert redacted(request, report.edits, Placeholders())["input"]["text"] == left
    assert not report.blocked


def test_what_comes_together_again_and_again_blocks() -> None:
    policy = Policy("p", 1, (Rule("denied_terms", "remove", terms=("Ann Lee",)),))
    report = inspect("input", input_texts({"input": {"text": "Ann " * 9 + "Lee " * 9}}), (policy,))
    assert report.blocking == {"denied_terms"}


def test_a_number_that_a_comment_parts_blocks_where_numbers_do() -> None:
    rules = (Rule("hidden_text", "remove", kinds=("comment",)), Rule("card_numbers"))
    text = "pay 4111 1111<!-- x --> 1111 1111 now"
    assert inspect("input", input_texts({"input": {"text": text}}), (Policy("p", 1, rules),)).blocking == {
        "card_numbers"
    }
