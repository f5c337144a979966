"""Tokens of a request, as the models that might do it would count them."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.guardrails.untrusted import marked
from broker.jobs.store import TOKENS
from broker.routing.model import Model
from broker.token_estimates import estimate_input, family_of


class Material(dict[str, Any]):
    """A stored request, with the tokens that were counted when it was accepted, and what its placeholders stand for.

    Whatever is made of it (`{**request}`, `request | more`) is a plain dict, and so is counted anew.
    """

    def __init__(self, document: Mapping[str, Any], mapping: Mapping[str, str] | None = None) -> None:
        super().__init__({name: value for name, value in document.items() if name != TOKENS})
        self.tokens: dict[str, int] = document.get(TOKENS, {})
        """By family; none of a job that was accepted before they were kept."""
        self.mapping = dict(mapping or {})
        """By placeholder; empty where nothing was redacted."""


def counter(request: Mapping[str, Any]) -> Callable[[Model], int]:
    """Counts once for each family of tokenizers, whichever model asks, and not at all what is known already."""
    known = dict(request.tokens) if isinstance(request, Material) else {}

    def tokens(model: Model) -> int:
        family = family_of(model.name)
        if family not in known:
            known[family] = estimate_input(marked(request), family)
        return known[family]

    return tokens
