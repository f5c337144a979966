"""The checks, one class with one method in a file each, and the table of them."""

from collections.abc import Callable, Mapping
from functools import cache

from broker.guardrails.checks.base import Check


def _card_numbers() -> Check:
    from broker.guardrails.checks.card_numbers import CardNumbers

    return CardNumbers()


def _denied_terms() -> Check:
    from broker.guardrails.checks.denied_terms import DeniedTerms

    return DeniedTerms()


def _hidden_text() -> Check:
    from broker.guardrails.checks.hidden_text import HiddenText

    return HiddenText()


def _secrets() -> Check:
    from broker.guardrails.checks.secrets import Secrets

    return Secrets()


CHECKS: Mapping[str, Callable[[], Check]] = {
    "card_numbers": _card_numbers,
    "denied_terms": _denied_terms,
    "hidden_text": _hidden_text,
    "secrets": _secrets,
}
"""By the name that policies and findings have; each is loaded when a policy first asks for it."""

SIZE = "max_input_chars"
"""The one rule that looks at all texts together (`pipeline`)."""


@cache
def check_of(name: str) -> Check:
    """A check by its name.

    Raises:
        KeyError: there is none.
    """
    return CHECKS[name]()
