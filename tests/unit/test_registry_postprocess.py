"""Rules for answers as operators write them: what is refused at which field, and what is kept."""

import json
from datetime import date
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.fields import Task
from broker.prompts.templates import Template
from broker.registry.document import parse_entry
from broker.registry.postprocess_entry import WITH_TEXT
from broker.routing.routes import Route

from tests.fakes.texts import FakeTexts

ALL: dict[str, Any] = {
    "defaults": {"rate": 0.5},
    "fields": {"a": "$.a", "b": "$['b c'][0]"},
    "strip_thinking": True,
    "strip_fence": True,
    "strip_html": True,
    "collapse_blank_lines": True,
    "trim": True,
    "max_chars": 100,
    "over": "fail",
    "languages": ["en", "de"],
    "citations": {"quotes": False, "at_least": 2},
}


def entry(kind: str, rules: Any, **facts: Any) -> Any:
    prompt = {"id": "p", "user": "one"}
    return parse_entry(kind, (prompt if kind == "prompts" else {"id": "r"}) | facts | {"postprocess": rules})


@pytest.mark.parametrize("kind", ["prompts", "routes"])
def test_what_is_registered_is_what_jobs_read(kind: str) -> None:
    parsed = entry(kind, ALL)
    assert parsed.content()["postprocess"] == ALL
    item = parsed.item()
    read = Template.of(item, FakeTexts()).postprocess if kind == "prompts" else None
    read = read or json.loads(Route.from_item(item).postprocess or "")
    assert read == ALL | {"citations": {"marks": True, "quotes": False, "pages": False, "at_least": 2}}


def test_true_is_short_for_all_citations_and_what_is_off_is_not_kept() -> None:
    kept = json.loads(entry("routes", {"citations": True, "trim": False, "pick": "$"}).item()["postprocess"])
    assert kept == {"pick": "$", "citations": {"marks": True, "quotes": True, "pages": False, "at_least": 0}}


def test_an_entry_without_rules_has_none() -> None:
    assert "postprocess" not in parse_entry("routes", {"id": "r"}).item()
    assert "postprocess" not in parse_entry("prompts", {"id": "p", "user": "one"}).item()


@pytest.mark.parametrize(
    ("rules", "field", "words"),
    [
        ({}, "", "it says nothing to do"),
        ({"trim": False}, "", "it says nothing to do"),
        ({"trim": "yes"}, ".trim", "true or false"),
        ({"uppercase": True}, ".uppercase", "there is no such field"),
        ({"pick": "a.b"}, ".pick", "a path begins with $"),
        ({"pick": "$..a"}, ".pick", "'..a' is no step of a path"),
        ({"pick": "$.a", "fields": {"b": "$.b"}}, ".fields", "it does not go with pick"),
        ({"fields": {}}, ".fields", "1 entries at least"),
        ({"fields": {"b": "$["}}, ".fields.b", "is no step of a path"),
        ({"defaults": {"a": "x" * 20_001}}, ".defaults", "20000 characters together at most"),
        ({"defaults": {"a": {"at": date(2026, 1, 1)}}}, ".defaults", "dates are texts, in quotation marks"),
        ({"defaults": {"a": b"x"}}, ".defaults", "values of JSON"),
        ({"max_chars": 0}, ".max_chars", "1 at least"),
        ({"over": "cut", "trim": True}, ".over", "it needs max_chars"),
        ({"max_chars": 5, "over": "hide"}, ".over", "'cut' or 'fail'"),
        ({"languages": ["english"]}, ".languages.0", "it has to be one of ja, ko"),
        ({"languages": []}, ".languages", "1 entries at least"),
        ({"citations": {"at_least": -1}}, ".citations.at_least", "0 at least"),
        ({"citations": {"links": True}}, ".citations.links", "there is no such field"),
    ],
)
@pytest.mark.parametrize("kind", ["prompts", "routes"])
def test_a_fault_is_told_at_its_field(kind: str, rules: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        entry(kind, rules)
    assert failure.value.param == f"postprocess{field}"
    assert words in failure.value.message


@pytest.mark.parametrize("task", list(Task))
def test_a_route_of_answers_without_a_text_has_no_rules(task: Task) -> None:
    if task.value in WITH_TEXT:
        assert entry("routes", {"trim": True}, task=task.value).item()["postprocess"]
        return
    with pytest.raises(InvalidRequest) as failure:
        entry("routes", {"trim": True}, task=task.value)
    assert failure.value.param == "postprocess"
