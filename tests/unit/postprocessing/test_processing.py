"""Rules over whole answers: their order, what they leave alone, and what makes an answer a bad one."""

import json
from typing import Any

import pytest
from broker.errors import BadOutput, Truncated
from broker.postprocessing.processing import processed, with_defaults
from broker.registry.postprocess_entry import PostprocessEntry

REQUEST = {"input": {"messages": [{"role": "user", "content": "[1] The lamp was lit at dusk."}]}}


def made(rules: dict[str, Any], **output: Any) -> dict[str, Any]:
    """The answer, by rules as operators write them."""
    stored = json.loads(PostprocessEntry.model_validate(rules).stored())
    return processed(stored, output, REQUEST)


def code_of(rules: dict[str, Any], **output: Any) -> str:
    with pytest.raises(BadOutput) as failure:
        made(rules, **output)
    assert failure.value.maybe_paid
    return failure.value.code


def test_the_order_is_fixed_however_rules_are_written() -> None:
    said = "<think>Long, long.</think>```\n<p>One [1].</p>\n\n\n\n<p>Two three.</p>\n```"
    every = {"max_chars": 12, "trim": True, "collapse_blank_lines": True, "strip_html": True, "strip_fence": True}
    assert made(every | {"strip_thinking": True, "citations": True}, text=said)["text"] == "One [1]."


def test_json_gets_its_defaults_then_its_picks_and_then_its_texts_are_cleaned() -> None:
    rules = {
        "defaults": {"note": " <i>none</i> ", "by": {"name": "?"}},
        "fields": {"note": "$.note", "by": "$.by.name", "all": "$.items[*].t"},
        "strip_html": True,
        "trim": True,
    }
    answer = {"items": [{"t": " <b>a</b>"}, {}, {"t": "b"}], "by": {"id": 7}}
    output = made(rules, text=json.dumps(answer), json=answer, finish_reason="stop")
    assert output["json"] == {"note": "none", "by": "?", "all": ["a", "b"]}
    assert (json.loads(output["text"]), output["finish_reason"]) == (output["json"], "stop")


def test_a_text_that_is_picked_is_the_answers_text() -> None:
    output = made({"pick": "$.answer", "max_chars": 5}, text='Sure:\n```json\n{"answer": "One. Two."}\n```')
    assert output == {"text": "One.", "json": "One."}


def test_null_that_is_picked_takes_the_place_of_the_text_like_any_other_value() -> None:
    assert made({"pick": "$.a"}, text='{"a": null, "secret": 1}') == {"text": "null", "json": None}
    assert made({"pick": "$.a"}, text='{"a": false}') == {"text": "false", "json": False}


def test_an_answer_that_stays_as_it_is_has_the_text_that_the_model_wrote() -> None:
    answer = {"text": '{ "a":1 }', "json": {"a": 1}}
    assert made({"defaults": {"a": 2}, "trim": True}, **answer) == answer


def test_null_is_a_value_and_objects_are_filled_field_by_field() -> None:
    value = {"a": None, "b": {"c": 1}, "d": [1]}
    assert with_defaults(value, {"a": 1, "b": {"c": 2, "e": 3}, "d": {"x": 1}, "f": {"g": 1}}) == {
        **{"a": None, "b": {"c": 1, "e": 3}, "d": [1]},
        "f": {"g": 1},
    }
    assert value == {"a": None, "b": {"c": 1}, "d": [1]}


@pytest.mark.parametrize(
    ("rules", "output", "code"),
    [
        ({"pick": "$.a"}, {"text": "no JSON"}, "not_json"),
        ({"pick": "$.a"}, {"text": "[" * 100_000}, "not_json"),
        ({"pick": "$.a"}, {"text": '{"a": 1e999}'}, "not_json"),
        ({"defaults": {"b": 1}}, {"text": '{"a": [-1e999]}'}, "not_json"),
        ({"pick": "$.a"}, {"text": '{"b": {"a": 1}, "a": 2,}'}, "not_json"),
        ({"pick": "$.a"}, {"text": 'So:\n```json\n[{"a": 1}, {"a": 2,}]\n```'}, "not_json"),
        ({"max_chars": 5}, {"text": "<EMAIL_1>, <EMAIL_2>"}, "empty_answer"),
        ({"pick": "$[0]"}, {"text": "[" * 100 + "]" * 100}, "too_deep"),
        ({"pick": "$.a"}, {"text": "{}"}, "nothing_picked"),
        ({"fields": {"a": "$.b"}}, {"text": "{}"}, "nothing_picked"),
        ({"defaults": {"a": 1}}, {"text": "[]"}, "no_object"),
        ({"strip_html": True}, {"text": "<p></p>"}, "empty_answer"),
        ({"strip_thinking": True}, {"text": "<think>hm"}, "empty_answer"),
        ({"max_chars": 3, "over": "fail"}, {"text": "four"}, "too_long"),
        ({"max_chars": 3}, {"text": '{"a": 1}', "json": {"a": 1}}, "too_long"),
        (
            {"languages": ["en"]},
            {"text": "Das ist nicht die Lampe, und der Wärter auch nicht."},
            "wrong_language",
        ),
        ({"citations": True}, {"text": "See [2]."}, "unfounded_citation"),
        ({"citations": {"at_least": 1}}, {"text": "Lit."}, "unfounded_citation"),
        ({"citations": True}, {"text": "{}", "json": {"a": ["See [2]."]}}, "unfounded_citation"),
    ],
)
def test_an_answer_that_does_not_fit_is_a_bad_one(rules: dict[str, Any], output: dict[str, Any], code: str) -> None:
    assert code_of(rules, **output) == code


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"pick": "$.a"}, '{"b": {"a": 1}, "a": "so and'),
        ({"defaults": {"a": 1}}, '{"b": 1}'),
        ({"strip_thinking": True}, "<think>first of all"),
        ({"strip_html": True}, "<script>let"),
    ],
)
def test_what_the_limit_cut_off_is_no_fault_of_the_models(rules: dict[str, Any], text: str) -> None:
    """A repair would meet the same limit, and be paid for: the contract tells such an answer as truncated."""
    with pytest.raises(Truncated):
        made(rules, text=text, finish_reason="length")


def test_prose_before_json_is_passed_over() -> None:
    text = 'Given {x} and [1], as "[so on": {"n": 1} or rather\n{"a": {"n": 2}, "b": 3}'
    assert made({"pick": "$.a.n"}, text=text)["json"] == 2
    assert made({"pick": "$.a"}, text='As {"a": value, "b": "}"} has it:\n{"a": 5}')["json"] == 5


@pytest.mark.parametrize("unit", ['{"', '{"a":', "[[", '\\"', '"', "```\n", "{ "])
def test_json_that_does_not_end_is_given_up_in_time(unit: str) -> None:
    """Work that grew with the square of its length would take hours."""
    assert code_of({"pick": "$.a"}, text='{"' + unit * 400_000 + '{"a": 1}') == "not_json"


def test_what_the_model_itself_said_before_is_no_document() -> None:
    said = [{"role": "assistant", "content": "[4] I made this up."}, {"role": "user", "content": "[1] Mine."}]
    rules = {"citations": {"marks": True, "quotes": True, "at_least": 0}}
    assert processed(rules, {"text": "So says [1]."}, {"input": {"messages": said}})["text"] == "So says [1]."
    with pytest.raises(BadOutput):
        processed(rules, {"text": "So says [4]."}, {"input": {"messages": said}})


def test_a_call_of_a_tool_is_no_answer_yet() -> None:
    rules = {"pick": "$.a", "max_chars": 3, "over": "fail", "citations": {"at_least": 1}, "strip_html": True}
    calls = [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    assert made(rules, text="<b>I look.</b>", tool_calls=calls) == {"text": "I look.", "tool_calls": calls}
    assert made(rules, text="", tool_calls=calls)["text"] == ""


@pytest.mark.parametrize("output", [{"embeddings": [[1.0]]}, {"label": "a"}, {"files": []}, {"body": {"text": 1}}])
def test_answers_without_a_text_stay_as_they_are(output: dict[str, Any]) -> None:
    assert made({"pick": "$.a", "trim": True, "languages": ["de"]}, **output) == output
