"""Secrets of unknown issuers: a value that looks like one, given to a name that says so."""

import base64
import binascii
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan, stands_alone
from broker.guardrails.secrets.randomness import HASH_NAMES, is_placeholder, looks_random, reads_as_words
from broker.guardrails.spans import Span

REST_OF_NAME = r"(?P<rest>[\w.\-]{0,40}+)"
CLOSED = r"(?:\\{0,2}[\"'`]|[\])])*+"
TYPED = r"(?:\s{0,3}:?\s{0,3}(?:[Ss]tr(?:ing)?\??|char|any|const|text|varchar)(?:\[\])?(?=\s{0,3}=))?"
OPERATOR = r"[ \t]{0,8}(?:=>|:=|\?\?=|\|\|=|={1,3}|[.?+]=|:{1,3}={0,3}|(?P<call>,)(?=\s{0,12}[\"'`])|\((?=\s{0,12}[\"'`])|>|\bis\b|\bist\b|\best\b|\bes\b|\bé\b|\bè\b)"
BEFORE_VALUE = r"\s{0,12}(?:new \w{1,20}\(|[bfru]{1,2}(?=[\"']))?"
VALUE = r"(?:\\{0,2}(?P<quote>[\"'`])(?P<quoted>[^\r\n\"'`]{4,2000}+)(?P=quote)|(?P<bare>[^\s\"'`<>,;()\[\]|&\\]{4,2000}+))"

ASSIGNMENT = re.compile(REST_OF_NAME + CLOSED + TYPED + OPERATOR + BEFORE_VALUE + VALUE)
NAME_AND_VALUE = re.compile(
    REST_OF_NAME + r"[\"'`]\s{0,4}/?>?\s{0,12},?\s{0,12}<?[\"']?(?:value|default)[\"']?\s{0,3}[:=>]\s{0,3}" + VALUE, re.I
)
OPTION = re.compile(r"[a-z\-]{0,12}+[ =]\s{0,3}" + VALUE)
HEADER = re.compile(
    r"\\{0,2}[\"']?\s{0,3}[:=,]\s{0,3}\\{0,2}[\"']?(?:(?P<scheme>[A-Za-z]{3,12})\s{1,3})?(?P<value>[^\s\"'`<>,;]{8,2000}+)"
)

SETTING_NAME = re.compile(r"(?:^|[\n\r\"' ])(?:export )?[A-Z][A-Z0-9_]{0,50}\Z")
SETTING = re.compile(r"[A-Z0-9_]{0,20}+=(?P<value>[^\s\"'`<>$(){}\[\],;]{6,100}+)(?=\s|\Z)")
SENTENCE = re.compile(r"(?:\s[\w\-\"'`@ ]{0,40}?)?\s(?:is|ist|est|es|è|é)\s{1,2}[\"'`](?P<value>[^\s\"'`]{4,60})[\"'`]")
"""Where a password of plain letters is told: in settings (`DB_PASSWORD=…`), in a sentence."""

STOCK = frozenset(
    "password passwd secret admin test root user username string required invalid incorrect correct null none true "
    "false smtp_password yourpassword mypassword pass1234 password123 password1 changeme".split()
)

ARGUMENT = re.compile(r"\(\s{0,4}[\"'`][\w.\-]{0,40}\Z")
"""Before a name that is the first argument of a call: `setProperty("API_TOKEN", "…")`."""

CALLS = re.compile(
    r".*(?:\\[xu0]|&[lg]t;)|#[\w-]*[A-Za-z]{3}[\w-]*\Z|.*(?:[(\[{]|\.\.|::|->)|(?:\w{1,40}\.){1,6}[A-Za-z_]\w*\Z|[~.]{0,2}/|[\w.\-]{1,24}(?:/[\w.\-]{1,24}){2}|https?[:%]|a?arn:|urn:|file:"
)
"""What stands behind `=` in code and is no literal: calls, attributes, paths, addresses."""


NO_SECRETS = re.compile(
    r"(?:next|prev(?:ious)?|change|lock|request|purchase|page|pagination|paging|continuation|idempotency|sync|export|import"
    r"|[cx]srf|cursor|sequence|resume|marker|start|stop|eos|bos|pad|unk|mask|primary|foreign|public|partition|sort|cache"
    r"|websocket|client|host|translation|i18n|registry|group|object|dict|map|item|row|index|unique|hot|short|access[-_]?code)"
    r"[-_ ]{0,1}(?:token|key)\Z"
)
"""Names that end like those of secrets and are none: of pages, rows, and places in a text."""

OF_SECRETS = re.compile(r".*?(?:id|arn|name|type|ur[il]|path|file|version|count|len(?:gth)?|size|prefix|hash|format|store|field|label|title|ring|point|word|code|event|s3key|manager)s?[\"'`\])]{0,2}\Z")
"""What follows in names of something about a secret: `key_id`, `secretArn`, `token_type`."""


def find_assigned(scan: Scan, begin: int, end: int, strength: str) -> Iterator[Span]:
    """At most one span: the value given to the name whose last known part stands from `begin` to `end`."""
    text = scan.text
    if strength == "weak" and not stands_alone(text, begin, end):
        return
    if NO_SECRETS.search(scan.lower, max(0, begin - 16), end) or text[begin - 1 : begin] == "1":
        return
    for pattern in (ASSIGNMENT, NAME_AND_VALUE):
        if found := pattern.match(text, end):
            if OF_SECRETS.match(found["rest"].lower()):
                continue
            if found.groupdict().get("call") and not ARGUMENT.search(text, max(0, begin - 48), begin):
                continue
            group = "quoted" if found["quoted"] is not None else "bare"
            if is_secret(found[group], strength, group == "quoted", scan.lower[max(0, begin - 24) : found.start(group)]):
                yield Span(*_trimmed(text, *found.span(group)), kind(strength), 0.6)
                return
    if strength == "password":
        for pattern in (SETTING, SENTENCE):
            if (found := pattern.match(text, end)) and _is_told(found["value"]):
                if pattern is not SETTING or SETTING_NAME.search(text, max(0, begin - 60), end):
                    yield Span(*_trimmed(text, *found.span("value")), "password", 0.5)
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
    if (scheme == "basic" and _is_basic(value)) or (scheme != "basic" and looks_random(value.rstrip("="), 12)):
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
    if quoted and len(value) >= 24 and " " not in value and len(set("!@#$%^&*()_+=-") & set(value)) >= 4:
        return looks_random(value)
    if strength == "weak":
        return looks_random(value, 20) and not CALLS.match(value)
    return looks_random(value, 16) and not CALLS.match(value)


def _is_password(value: str, quoted: bool) -> bool:
    if not 6 <= len(value) <= 128 or " " in value or CALLS.match(value):
        return False
    symbols = set("!@#$%^&*?+=~") & set(value)
    kinds = bool(symbols) + any(map(str.isdigit, value)) + any(map(str.islower, value)) + any(map(str.isupper, value))
    if not any(map(str.isalpha, value)) or kinds < 2:
        return False
    if kinds > 2 and (quoted or any(map(str.isdigit, value))):
        return bool(symbols) or any(map(str.isdigit, value)) and (kinds > 3 or not reads_as_words(value) or quoted)
    return (quoted and bool(symbols)) or (any(map(str.isdigit, value)) and not reads_as_words(value))


def _is_told(value: str) -> bool:
    return value.lower() not in STOCK and not is_placeholder(value) and not CALLS.match(value) and value.strip(".-_") != ""


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
