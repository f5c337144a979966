"""The checks, one class with one method in a file each, and the table of them."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from broker.guardrails.checks.base import Check

CHECKS: Mapping[str, str] = {
    "card_numbers": "CardNumbers",
    "denied_patterns": "DeniedPatterns",
    "denied_terms": "DeniedTerms",
    "hidden_text": "HiddenText",
    "injection": "Injection",
    "links": "Links",
    "markup": "Markup",
    "personal_data": "PersonalData",
    "prompt_leak": "PromptLeak",
    "secrets": "Secrets",
    "tool_calls": "ToolCalls",
}
"""The class of each by the name that policies and findings have, which is its file's; loaded when it is first used."""

BY_SOURCE = frozenset({"injection"})
"""Checks that go by whose words they are: they read a user's words among the operator's for themselves."""

BY_ENGINES = frozenset({"harmful_content", "topics"})
"""Checks that nothing is built in for: engines judge."""

ALIKE_FOR_ALL_RULES = frozenset({"card_numbers", "hidden_text", "injection", "personal_data", "secrets"})
"""Checks that read nothing of a rule: however many policies have them, each text is read once."""

BY_NAME = frozenset({"card_numbers", "personal_data", "secrets"})
"""Checks that read a value beside its name: what they find may be told by a word before it."""

SIZE = "max_input_chars"
"""The one rule that looks at all texts together (`pipeline`)."""


@cache
def check_of(name: str) -> Check:
    """A check by its name.

    Raises:
        KeyError: there is none.
    """
    module = import_module(f"{__name__}.{name}")
    made: Check = getattr(module, CHECKS[name])()
    return made
