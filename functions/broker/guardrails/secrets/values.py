"""What is worth telling of a value that a name calls a secret: the judgement apart from where it stands."""

import re

from broker.guardrails.secrets.randomness import DIGIT, HEX, JUDGED, LEAD, is_placeholder, looks_random, reads_as_words

REFERENCES = re.compile(
    r"""(?x)
    .* (?: [(\[{] | \.\. | :: | -> | \\[xu0] | &[lg]t; )
    | (?:\w{1,40}\.){1,6} [A-Za-z_]\w*\Z
    | [~.]{0,2} / | [\w.\-]{1,24} (?:/[\w.\-]{1,24}){2}
    | \d{4}-\d\d-\d\d(?:T\d|\s|\Z) | https?[:%] | a?arn: | urn: | file:
    | \#[\w-]*[A-Za-z]{3}[\w-]*\Z"""
)
"""What stands behind `=` in code and is no literal of a secret: calls, attributes, paths, addresses, selectors."""

OTHER_NAMES = re.compile(
    r"""(?x)
    (?: next|prev(?:ious)?|change|lock|request|purchase|page|pagination|paging|continuation|idempotency|sync|export
      | import|[cx]srf|cursor|sequence|resume|marker|start|stop|eos|bos|pad|unk|mask|primary|foreign|public|partition
      | sort|cache|websocket|client|host|translation|i18n|registry|group|object|dict|map|item|row|index|unique
      | hot|short|action|s3 )
    [-_ ]? (?:token|key) \Z"""
)
"""Names that end like those of secrets and are of pages, rows, and places in a text."""

OF_A_SECRET = re.compile(
    r"""(?x)
    .*? (?: id|arn|name|type|ur[il]|path|file|version|count|len(?:gth)?|size|prefix|hash|format|store|field|label|title
          | ring|point|word|code|event|manager|mgr\w*|used|changed|date|time|expir\w*|policy ) s? [\"'`\])]{0,2} \Z"""
)
"""How names of something about a secret go on: `key_id`, `secretArn`, `token_type`."""

STOCK = frozenset(
    "password passwd secret admin test root user username string required invalid incorrect correct null none true "
    "false smtp_password yourpassword mypassword pass1234 password123 password1 changeme".split()
)
"""Passwords that manuals and messages print."""

WORD_AND_NUMBER = re.compile(
    r"(?!(?:pass|pwd|pw|psw|test|user|str|text|arg|param|field|input|value|val|utf|var|tmp|sha|md|base|int|key|token|secret|old"
    r"|new|type|line|col|row|num|item|step|level|page|table|figure|section|version|option)[a-z]{0,9}\d)[A-Za-z]{3,20}\d{1,6}[A-Za-z]?\Z",
    re.I,
)
"""`hunter2`: not a name with a number, as code has many."""

SYMBOLS = frozenset("!@#$%^&*?+=~")


def is_secret(value: str, strength: str, quoted: bool) -> bool:
    """Whether the value is worth telling, given to a name of this strength (`password`, `secret` or `weak`)."""
    value = value.strip().rstrip(".")[:JUDGED]
    if is_placeholder(value):
        return False
    if quoted and len(value) >= (48 if " " in value else 24) and len(set("!@#$%^&*()_+=-").intersection(value)) >= 4:
        return looks_random(value)
    if REFERENCES.match(value):
        return False
    if strength == "password":
        return _is_password(value, quoted)
    return looks_random(value, 20 if strength == "weak" else 16)


def is_told(value: str) -> bool:
    """Whether plain letters are worth telling, where a setting or a sentence says that they are the password."""
    return (
        value.lower() not in STOCK
        and bool(value.strip(".-_"))
        and not (is_placeholder(value) or REFERENCES.match(value))
    )


def is_generated(value: str) -> bool:
    """Whether a value that only follows the name of a secret was made by a machine: digits among letters, no hash."""
    return (
        DIGIT.search(value[:LEAD]) is not None
        and not HEX.match(value)
        and not is_placeholder(value)
        and looks_random(value, 20)
        and not REFERENCES.match(value)
    )


def _is_password(value: str, quoted: bool) -> bool:
    """A password that somebody chose: letters with digits or symbols, and no name of something else."""
    if not 6 <= len(value) <= 128 or " " in value or not any(map(str.isalpha, value)):
        return False
    symbols, digits = not SYMBOLS.isdisjoint(value), DIGIT.search(value) is not None
    kinds = symbols + digits + any(map(str.islower, value)) + any(map(str.isupper, value))
    if quoted and (symbols or kinds > 2):
        return symbols or digits
    if not digits:
        return False
    many_kinds = kinds > 3 or (symbols and kinds > 2)
    return many_kinds or not reads_as_words(value) or WORD_AND_NUMBER.match(value) is not None
