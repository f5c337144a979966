"""Secrets of unknown issuers: a value that looks like one, given to a name that says so."""

import base64
import binascii
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import HASH_NAMES, is_placeholder, looks_random, reads_as_words
from broker.guardrails.spans import Span

REST_OF_NAME = r"[\w.\-]{0,40}+"
CLOSED = r"(?:\\{0,2}[\"'`]|[\])])*+"
TYPED = r"(?:\s{0,3}:?\s{0,3}[A-Za-z]{3,12}(?=\s{0,3}=))?"
OPERATOR = r"[ \t]{0,8}(?:=>|:=|\?\?=|\|\|=|={1,3}|[.?+]=|:{1,2}|,|\(|>|\bis\b|\bist\b|\best\b|\bes\b|\bé\b|\bè\b)"
BEFORE_VALUE = r"\s{0,12}(?:new \w{1,20}\(|[bfru]{1,2}(?=[\"']))?"
VALUE = r"(?:\\{0,2}(?P<quote>[\"'`])(?P<quoted>[^\r\n\"'`]{4,400}?)\\{0,2}(?P=quote)|(?P<bare>[^\s\"'`<>,;()\[\]|]{4,400}+))"

ASSIGNMENT = re.compile(REST_OF_NAME + CLOSED + TYPED + OPERATOR + BEFORE_VALUE + VALUE)
NAME_AND_VALUE = re.compile(
    REST_OF_NAME + r"[\"'`]\s{0,4}/?>?\s{0,12},?\s{0,12}<?[\"']?(?:value|default)[\"']?\s{0,3}[:=>]\s{0,3}" + VALUE, re.I
)
OPTION = re.compile(r"[a-z\-]{0,12}+[ =]\s{0,3}" + VALUE)
HEADER = re.compile(
    r"\\{0,2}[\"']?\s{0,3}[:=,]\s{0,3}\\{0,2}[\"']?(?:(?P<scheme>[A-Za-z]{3,12})\s{1,3})?(?P<value>[^\s\"'`<>,;]{8,2000}+)"
)

CALLS = re.compile(r".*[(\[{]|.*\.\.|(?:\w{1,40}\.){1,6}[A-Za-z_]\w*\Z|[\w\-]{0,60}/|https?:")
"""What stands behind `=` in code and is no literal: calls, attributes, paths, addresses."""


def find_assigned(scan: Scan, begin: int, end: int, strength: str) -> Iterator[Span]:
    """At most one span: the value given to the name whose last known part stands from `begin` to `end`."""
    text = scan.text
    for pattern in (ASSIGNMENT, NAME_AND_VALUE):
        if found := pattern.match(text, end):
            group = "quoted" if found["quoted"] is not None else "bare"
            if is_secret(found[group], strength, group == "quoted", scan.lower[max(0, begin - 24) : found.start(group)]):
                yield Span(*_trimmed(text, *found.span(group)), kind(strength), 0.6)
                return
    if text[max(0, begin - 2) : begin].endswith("-") and strength != "weak" and (found := OPTION.match(text, end)):
        group = "quoted" if found["quoted"] is not None else "bare"
        if is_secret(found[group], strength, True, ""):
            yield Span(*_trimmed(text, *found.span(group)), kind(strength), 0.6)


def find_header(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """At most one span: the credential of an Authorization header."""
    found = HEADER.match(scan.text, end)
    if not found:
        return
    value, scheme = found["value"], (found["scheme"] or "").lower()
    if is_placeholder(value):
        return
    if (scheme == "basic" and _is_basic(value)) or (scheme != "basic" and looks_random(value.rstrip("="), 16)):
        yield Span(*_trimmed(scan.text, *found.span("value")), "authorization_header", 0.8)


def kind(strength: str) -> str:
    """The kind of a span for a name of this strength."""
    return "password" if strength == "password" else "secret_value"


def is_secret(value: str, strength: str, quoted: bool, name: str) -> bool:
    """Whether the value, given to a name of this strength (`name` ends with it), is worth telling."""
    value = value.strip().rstrip(".")
    if is_placeholder(value) or HASH_NAMES.search(name):
        return False
    if strength == "password":
        return _is_password(value, quoted)
    if strength == "weak":
        return looks_random(value, 20) and not CALLS.match(value)
    return looks_random(value, 14) and not CALLS.match(value)


def _is_password(value: str, quoted: bool) -> bool:
    if not 6 <= len(value) <= 128 or " " in value or CALLS.match(value):
        return False
    digits = any(c.isdigit() for c in value)
    letters = any(c.isalpha() for c in value)
    symbols = any(not c.isalnum() and c not in "_-.:/\\" for c in value)
    if not letters or not (digits or symbols) or reads_as_words(value):
        return False
    return quoted or digits


def _is_basic(value: str) -> bool:
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and all(32 <= c < 127 for c in plain)


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    while end > begin and text[end - 1] in ".\\ ":
        end -= 1
    return begin, end
