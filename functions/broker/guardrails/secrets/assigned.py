"""Secrets of unknown issuers: a value that looks like one, given to a name that says so."""

import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import CLOSE_LOOK, Scan, stands_alone
from broker.guardrails.secrets.randomness import HASH_NAMES
from broker.guardrails.secrets.values import OF_A_SECRET, OTHER_NAMES, is_generated, is_secret, is_told
from broker.guardrails.spans import Span

VALUE = (
    r"(?:\\{0,2}(?:\"(?P<double>[^\r\n\"]{4,2000}+)\"|'(?P<single>[^\r\n']{4,2000}+)'|`(?P<back>[^\r\n`]{4,2000}+)`)"
    r"|(?P<bare>[^\s\"'`<>,;()\[\]|&\\=]{4,400}+={0,2}))"
)
ASSIGNMENT = re.compile(
    r"(?P<rest>[\w.\-]{0,40}+)"
    r"(?:\\{0,2}[\"'`]|[\])])*"
    r"(?:\s{0,3}:?\s{0,3}(?:[Ss]tr(?:ing)?\??|char|any|const|text|varchar)(?:\[\])?(?=\s{0,3}=))?"
    r"[ \t]{0,8}(?:=>|:=|\?\?=|\|\|=|={1,3}|[.?+]=|:{1,3}={0,3}|(?P<comma>,)(?=\s{0,12}[\"'`])|\((?=\s{0,12}[\"'`])|>"
    r"|\b(?:is|ist|est|es|é|è)\b)"
    r"(?:(?<=[>(,|=])\s{0,12}|[ \t]{0,12})(?:new \w{1,20}\(|[bfru]{1,2}(?=[\"']))?" + VALUE
)
"""`name = "value"`, and how else languages, settings and sentences give a name a value."""

NAME_THEN_VALUE = re.compile(
    r"(?P<rest>[\w.\-]{0,40}+)[\"'`]\s{0,4}/?>?\s{0,12},?\s{0,12}<?[\"']?(?:value|default)[\"']?\s{0,3}[:=>]\s{0,3}"
    + VALUE,
    re.I,
)
"""`{"name": "…", "value": "…"}` and the same in XML."""

ARGUMENT = re.compile(r"\(\s{0,4}[\"'`][\w.\-]{0,40}\Z")
"""Before a name that is the first argument of a call: `setProperty("API_TOKEN", "…")`."""

OPTION = re.compile(r"[a-z\-]{0,12}+[ =]\s{0,3}" + VALUE)
"""After `--password`."""

SETTING_NAME = re.compile(r"(?:^|[\n\r\"' ])(?:export )?[A-Z][A-Z0-9_]{0,50}\Z")
SETTING = re.compile(r"[A-Z0-9_]{0,20}+=(?P<value>[^\s\"'`<>$(){}\[\],;]{6,100}+)(?=\s|\Z)")
"""`DB_PASSWORD=…`, as environments are written down."""

SENTENCE = re.compile(r"(?:\s[\w\-\"'`@ ]{0,40}?)?\s(?:is|ist|est|es|è|é)\s{1,2}[\"'`](?P<value>[^\s\"'`]{4,60})[\"'`]")
"""`the password for that user is "…"`."""

BARE = re.compile(
    r"(?:[-_. ]?(?:key|token|secret|value|access|private))?(?:[ \t]{1,4}|-|\r?\n)[\"'`]?"
    r"(?P<value>[0-9A-Za-z+/_\-]{20,200}={0,2})(?![^\s\"'`.,;)])",
    re.I,
)
"""`CLIENT SECRET …` and `the token …`: no sign between name and value, which then has to look made by a machine."""

SURE_OF_VALUE, SURE_OF_PLAIN = 0.6, 0.5


def find_assigned(scan: Scan, begin: int, end: int, strength: str) -> Iterator[Span]:
    """At most one span: the value given to the name whose last known part stands from `begin` to `end`."""
    text, kind = scan.text, "password" if strength == "password" else "secret_value"
    if (strength == "weak" and not stands_alone(text, begin, end)) or text[begin - 1 : begin] == "1":
        return
    if not scan.may_try(begin):
        return
    if place := _given(scan, begin, end, strength):
        yield Span(*place, kind, SURE_OF_VALUE)
    elif strength == "password" and (place := _plain(text, begin, end)):
        yield Span(*place, kind, SURE_OF_PLAIN)


def _given(scan: Scan, begin: int, end: int, strength: str) -> tuple[int, int] | None:
    text = scan.text
    for pattern in (ASSIGNMENT, NAME_THEN_VALUE):
        found = pattern.match(text, end)
        if not found or OF_A_SECRET.match(found["rest"].lower()):
            continue
        if pattern is ASSIGNMENT and found["comma"] and not ARGUMENT.search(text, max(0, begin - 48), begin):
            continue
        place, quoted = _value(found)
        scan.tried(place[1])
        scan.work.take(CLOSE_LOOK)
        if is_secret(text[slice(*place)], strength, quoted) and _is_named(scan.lower, begin, end, place[0]):
            return place
    if strength != "weak" and text[begin - 1 : begin] == "-" and (found := OPTION.match(text, end)):
        place, _ = _value(found)
        if is_secret(text[slice(*place)], strength, quoted=True) and _is_named(scan.lower, begin, end, place[0]):
            return place
    if strength == "secret" and (found := BARE.match(text, end)):
        place = found.span("value")
        if is_generated(found["value"]) and _is_named(scan.lower, begin, end, place[0]):
            return place
    return None


def _is_named(lower: str, begin: int, end: int, value: int) -> bool:
    """Whether the name is that of a secret: no hash, and none of the tokens and keys that are public."""
    return not OTHER_NAMES.search(lower, max(0, begin - 16), end) and not HASH_NAMES.search(
        lower, max(0, begin - 24), value
    )


def _plain(text: str, begin: int, end: int) -> tuple[int, int] | None:
    found = SENTENCE.match(text, end)
    if not found and SETTING_NAME.search(text, max(0, begin - 60), end):
        found = SETTING.match(text, end)
    return found.span("value") if found and is_told(found["value"]) else None


def _value(found: re.Match[str]) -> tuple[tuple[int, int], bool]:
    """Where the value stands, without the escape before its closing quote or a sentence's full stop; and if quoted."""
    quoted = found["bare"] is None
    begin, end = found.span(found.lastgroup or "bare")
    return (begin, begin + len(found.string[begin:end].rstrip("\\. "))), quoted
