"""Prompts as operators write them: what is refused, and that what is kept reads back."""

import random
from typing import Any

import pytest
from broker.prompts.entry import MOST_BYTES, PACKED_FROM, LabelsEntry, PromptEntry
from broker.prompts.templates import Template
from pydantic import ValidationError

TEXT = {"type": "string"}


def entry(**changes: Any) -> PromptEntry:
    return PromptEntry.model_validate({"id": "p", "version": 1, "user": "{{document}}", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user": None}, "system or user is needed"),
        ({"user": "{{#a}}"}, "'a' is not closed"),
        ({"user": "{{/a}}"}, "'a' is closed where it is not open"),
        ({"user": "{{#a}}{{#b}}{{/a}}{{/b}}"}, "'a' is closed where it is not open"),
        ({"user": "{{#document}}x{{/document}}"}, "'document' is not declared"),
        ({"user": "{{document}} {{n}}", "variables": {"document": TEXT}}, "'n' is not declared"),
        ({"variables": {"document": TEXT, "n": TEXT}}, "'n' is declared and never used"),
        ({"user": "{{#document}}x{{/document}}", "variables": {"document": TEXT}}, "a section needs a list"),
        ({"user": "{{#a}}" * 9 + "{{/a}}" * 9, "variables": {"a": {"type": "boolean"}}}, "nested 8 deep"),
        ({"user": "{{.}}"}, "'.' is not"),
        ({"variables": {"document": {"type": "text"}}}, "Input should be"),
        ({"variables": {"document": {"type": "string", "minimum": 3}}}, "minimum does not go with string"),
        ({"variables": {"document": {"type": "string", "format": "date"}}}, "Extra inputs"),
        ({"variables": {"document": {"type": "string", "pattern": "("}}}, "not a regular expression"),
        ({"variables": {"document": {"type": "array"}}}, "an array needs items"),
        ({"variables": {"document": {"type": "object"}}}, "an object needs properties"),
        ({"variables": {"document": {"type": "integer", "default": "x"}}}, "has to be of type integer"),
        ({"variables": {"Document": TEXT}}, "should match pattern"),
        ({"hints": {"colour": "blue"}}, "Extra inputs"),
        ({"hints": {"parameters": {"colour": 1}}}, "Input should be"),
        ({"id": "a/b"}, "should match pattern"),
        ({"version": 0}, "greater than or equal"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry(**changes)


def test_what_is_kept_reads_back() -> None:
    given = entry(
        system="Be {{tone}}.",
        description="Says it shorter.",
        variables={
            "document": {**TEXT, "description": "What to say.", "maxLength": 9},
            "tone": {**TEXT, "trusted": True},
        },
        hints={"model": "small", "parameters": {"temperature": 0.5}},
        output_schema={"type": "object", "properties": {"x": {"minimum": 0.5}}},
    )
    version, latest = given.items()
    assert (version["pk"], version["sk"], latest["sk"]) == ("PROMPT#p", "V#0001", "LATEST")
    read = Template.of(version)
    assert read == Template.of(latest)
    assert (read.version, read.source) == (1, {"system": "Be {{tone}}.", "user": "{{document}}"})
    assert read.variables["document"] == {**TEXT, "description": "What to say.", "maxLength": 9}
    assert read.hints == {"model": "small", "parameters": {"temperature": 0.5}}
    assert read.output_schema == {"type": "object", "properties": {"x": {"minimum": 0.5}}}


def test_long_texts_are_packed_and_too_long_ones_refused() -> None:
    words = "the lamp needed nobody and the keeper knew it well ".split()
    long = " ".join(random.Random(4).choices(words, k=PACKED_FROM // 3))
    (version, _) = entry(user=long).items()
    assert "user" not in version
    assert Template.of(version).source == {"user": long}
    noise = "".join(map(chr, random.Random(4).choices(range(0x4E00, 0x9000), k=MOST_BYTES)))
    with pytest.raises(ValidationError, match="300000 is the most"):
        entry(user=noise)


def test_labels_have_arms() -> None:
    given = {"id": "p", "labels": {"production": [{"version": 3, "weight": 90}, {"version": 4}]}}
    assert LabelsEntry.model_validate(given).labels["production"][1].weight == 100
    for labels in ({"production": []}, {"": [{"version": 1}]}, {"production": [{"version": 1, "weight": 0}]}):
        with pytest.raises(ValidationError):
            LabelsEntry.model_validate({"id": "p", "labels": labels})
