"""The rules, in one table: each counts what it finds in one text, in time linear to the text."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from broker.guardrails.cards import find_cards
from broker.guardrails.policy import Policy
from broker.guardrails.text_places import Joined, Text

Stage = Literal["input", "output"]

ISSUED = (
    (("AKIA", "ASIA"), r"\b{}[A-Z0-9]{{16}}\b"),  # AWS access key ids
    (("-----BEGIN ",), r"{}[A-Z ]{{0,40}}PRIVATE KEY-----"),  # RFC 7468
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\b{}[A-Za-z0-9]{{36}}"),  # GitHub tokens
    (("github_pat_",), r"\b{}[A-Za-z0-9_]{{40}}"),
    (("sk-",), r"\b{}[A-Za-z0-9_-]{{20}}"),  # OpenAI, Anthropic and others like them
    (("rk_live_", "sk_live_"), r"\b{}[A-Za-z0-9]{{20}}"),  # Stripe
    (("AIza",), r"\b{}[A-Za-z0-9_-]{{35}}"),  # Google API keys
    (("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"), r"\b{}[A-Za-z0-9-]{{10}}"),  # Slack
    (("hf_",), r"\b{}[A-Za-z0-9]{{30}}"),  # Hugging Face
    (("ib_",), r"\b{}[A-Za-z0-9_-]{{43}}[0-9a-f]{{8}}\b"),  # our own
)
"""Credentials by the prefixes that their issuers publish, and what follows those, which is bounded."""

PREFIXES = tuple(prefix for prefixes, _ in ISSUED for prefix in prefixes)
"""Without one of them there is nothing to look for: ten times as quick to see as by the pattern."""

SECRETS = re.compile("|".join(form.format(f"(?:{'|'.join(prefixes)})") for prefixes, form in ISSUED))

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point: they split a word for a program, not for a reader."""

MARKS = re.compile(r"(?:[^\w\x00-\x7f]|[\uff9e\uff9f]){30}")
"""Runs that may be combining marks (none is a letter, but for two of kana): sorting long ones takes quadratic time."""

JOINER = "\u034f"
"""Between two marks, it keeps them from being sorted (UAX #15, section 13, Stream-Safe Text Process)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found; never the text itself. `place` is the first text that it was found in."""

    stage: Stage
    rule: str
    action: Literal["block", "note"]
    count: int
    place: str

    def to_dict(self) -> dict[str, Any]:
        """The form kept and shown."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: how it counts, and whether the policy lets it block."""

    name: str
    count: Callable[[str, Policy], int]
    blocks: Callable[[Policy], bool]


def _count_denied(text: str, policy: Policy) -> int:
    if not policy.denied_terms:
        return 0
    return sum(1 for _ in _denied(policy.denied_terms).finditer(_plain(text)))


def _count_secrets(text: str, policy: Policy) -> int:
    return sum(1 for _ in SECRETS.finditer(text)) if any(prefix in text for prefix in PREFIXES) else 0


def _count_cards(text: str, policy: Policy) -> int:
    return sum(1 for _ in find_cards(text if text.isascii() else _compatible(text)))


def _plain(text: str) -> str:
    return " ".join(_compatible(text).casefold().split())


def _compatible(text: str) -> str:
    """The text in compatibility form (NFKC): full-width digits and letters are the plain ones."""
    bounded = MARKS.sub(lambda run: run.group() + JOINER, INVISIBLE.sub("", text))
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", bounded))


@lru_cache(maxsize=64)
def _denied(terms: tuple[str, ...]) -> re.Pattern[str]:
    any_term = "|".join(re.escape(_plain(term)) for term in terms if _plain(term))
    return re.compile(rf"(?<!\w)(?:{any_term})(?!\w)" if any_term else "(?!)")


RULES = (
    Rule("denied_terms", _count_denied, lambda policy: True),
    Rule("secrets", _count_secrets, lambda policy: policy.block_secrets),
    Rule("card_numbers", _count_cards, lambda policy: policy.block_card_numbers),
)


def check(stage: Stage, texts: Iterable[Text], policy: Policy) -> list[Finding]:
    """Run all rules over the texts of one stage; one finding at most for each rule."""
    counts: dict[str, tuple[int, str]] = {}
    size, last = 0, ""
    for place, text in texts:
        if not isinstance(text, Joined):
            size, last = size + len(text), place
        for rule in RULES:
            if found := rule.count(text, policy):
                before, first = counts.get(rule.name, (0, place))
                counts[rule.name] = before + found, first
    findings = [
        Finding(stage, rule.name, "block" if rule.blocks(policy) else "note", *counts[rule.name])
        for rule in RULES
        if rule.name in counts
    ]
    if stage == "input" and size > policy.max_input_chars:
        findings.append(Finding(stage, "max_input_chars", "block", size, last))
    return findings


def blocks(findings: Iterable[Finding]) -> bool:
    """True when one of them blocks."""
    return any(each.action == "block" for each in findings)
