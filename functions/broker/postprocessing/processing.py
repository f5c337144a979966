"""Rules over one answer, in their fixed order: JSON, then its texts, then what the answer has to be.

1. `defaults` for fields that are missing; then `pick` or `fields`, by JSONPath.
2. Of each text: `strip_thinking`, `strip_fence`, `strip_html`, `collapse_blank_lines`, `trim`.
3. `max_chars`, which cuts or fails; then `languages`; then `citations`.

So what is checked is what is shown. An answer that calls tools is none yet: of the rules only those of the second row
hold for what it says beside them.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from broker.errors import BadOutput, Truncated
from broker.guardrails.walk import input_texts
from broker.json_text import DEEPEST, is_deeper
from broker.postprocessing import citations, languages, lengths, paths, texts
from broker.postprocessing.html_text import text_of
from broker.providers.wire.saying import json_of
from broker.providers.wire.structured import check_storable, loads

Rules = Mapping[str, Any]
"""Of one prompt or route, as `registry.postprocess_entry` stores them."""

CLEAN_UPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("strip_thinking", texts.without_thinking),
    ("strip_fence", texts.without_fence),
    ("strip_html", text_of),
    ("collapse_blank_lines", texts.with_single_blank_lines),
    ("trim", str.strip),
)
"""By the name of the rule, in their order."""

ON_JSON = ("defaults", "pick", "fields")

_BEGINS = re.compile(r'\{\s*"|\[\s*[\[{"]')
"""What is JSON from here on, or was meant to be."""

_BRACKETS = re.compile(r'[][{}]|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)', re.DOTALL)
"""And texts, whose brackets are none; one that does not end goes on to the end, so that none is read twice."""

_MOST_BEGINNINGS = 8
"""That are looked at."""


def processed(rules: Rules, output: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as the rules make it: its `text`, and its `json` where it has one. Other answers stay as they are.

    Args:
        rules: to follow.
        output: as the provider's adapter gave it.
        request: what the model was asked, as it saw it; citations are looked up in its input.

    Raises:
        BadOutput: it is not what the rules ask for. The message says which, and quotes nothing of it.
        Truncated: it was cut off by the limit on tokens, before its JSON was whole or before it said anything.
    """
    if not isinstance(output.get("text"), str):
        return dict(output)
    final = not output.get("tool_calls")
    made = dict(output)
    if final and any(name in rules for name in ON_JSON):
        made["json"] = _picked(rules, made)
    clean_ups = [clean for name, clean in CLEAN_UPS if rules.get(name)]

    def cleaned(text: str) -> str:
        for clean in clean_ups:
            text = clean(text)
        return text

    if "json" in made:
        made["json"] = _mapped(made["json"], cleaned)
        if "json" not in output or made["json"] != output["json"]:
            made["text"] = _told(made["json"])
    else:
        made["text"] = cleaned(made["text"])
    return _checked(rules, made, request) if final else made


def _picked(rules: Rules, output: Mapping[str, Any]) -> Any:
    """The JSON of an answer with its defaults, or what is picked of it."""
    value = output["json"] if "json" in output else _read(output)
    if "defaults" in rules:
        if not isinstance(value, dict):
            raise _bad("no_object", "The model's answer is no JSON object.")
        value = with_defaults(value, rules["defaults"])
    try:
        if "pick" in rules:
            return paths.parse(rules["pick"]).find(value)
        if "fields" in rules:
            return {name: paths.parse(path).find(value) for name, path in rules["fields"].items()}
    except LookupError as error:
        raise _bad("nothing_picked", f"The model's answer has nothing at {error.args[0]}.") from None
    return value


def _read(output: Mapping[str, Any]) -> Any:
    """The JSON that a text holds.

    A piece of JSON that is broken elsewhere is none: it might have what is asked for, from a place that nobody meant.
    """
    if _is_cut_off(output):
        raise _cut_off("The model reached its limit before its JSON was whole.")
    text = output["text"]
    found = json_of(text)
    try:
        if _stands_in_broken(text, text.find(found)):
            raise ValueError
        value = loads(found.strip("\ufeff \t\r\n"))
        check_storable(value)
    except ValueError:
        raise _bad("not_json", "The model's answer is not JSON.") from None
    if is_deeper(value, DEEPEST):
        raise _bad("too_deep", f"The model's answer is nested deeper than {DEEPEST} levels.")
    return value


def _stands_in_broken(text: str, place: int) -> bool:
    """True where JSON begins before this place of a text, and has not ended there."""
    for begins in islice(_BEGINS.finditer(text), _MOST_BEGINNINGS):
        if begins.start() >= place:
            break
        brackets = (found[0] for found in _BRACKETS.finditer(text, begins.start(), place))
        depth = 1
        next(brackets, None)
        for bracket in brackets:
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket, 0)
            if not depth:
                break
        else:
            return True
    return False


def with_defaults(value: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the fields that it lacks, also in the objects that both have; null is a value."""
    made = dict(value)
    for name, default in defaults.items():
        if name not in made:
            made[name] = default
        elif isinstance(default, dict) and isinstance(made[name], dict):
            made[name] = with_defaults(made[name], default)
    return made


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts changed; its keys stay. No answer is nested deeper than Python follows."""
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(each, change) for each in value]
        case dict():
            return {name: _mapped(each, change) for name, each in value.items()}
    return value


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _strings(each)
        case dict():
            for each in value.values():
                yield from _strings(each)


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _checked(rules: Rules, output: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer, cut where it is too long and may be cut; a JSON value may not, but for a text."""
    _check_said(output)
    most = rules.get("max_chars", len(output["text"]))
    if len(output["text"]) > most:
        if rules.get("over", "cut") == "fail" or not isinstance(output.get("json", ""), str):
            raise _bad("too_long", f"The model's answer has more than {most} characters.")
        output["text"] = lengths.cut(output["text"], most)
        _check_said(output)
        if "json" in output:
            output["json"] = output["text"]
    said = "\n".join(_strings(output["json"])) if "json" in output else output["text"]
    if "languages" in rules and (found := languages.other_than(rules["languages"], said)):
        asked = ", ".join(rules["languages"])
        raise _bad("wrong_language", f"The model's answer is in another language ({found}) than asked for ({asked}).")
    if "citations" in rules:
        documents = (
            each.text
            for each in input_texts({"input": request.get("input", {})})
            if each.source != "model" and each.seam is None
        )
        if fault := citations.fault(rules["citations"], said, documents):
            raise _bad("unfounded_citation", fault)
    return output


def _check_said(output: Mapping[str, Any]) -> None:
    if output["text"].strip():
        return
    if _is_cut_off(output):
        raise _cut_off("The model reached its limit before it said anything.")
    raise _bad("empty_answer", "Nothing is left of the model's answer.")


def _is_cut_off(output: Mapping[str, Any]) -> bool:
    return output.get("finish_reason") == "length"


def _cut_off(message: str) -> Truncated:
    return Truncated(message, code="output_truncated", maybe_paid=True)


def _bad(code: str, message: str) -> BadOutput:
    return BadOutput(message, code=code, maybe_paid=True)
