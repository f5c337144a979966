"""Tokens of a request, as the models that might do it would count them."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.routing.model import Model
from broker.token_estimates import estimate_input, family_of


def counter(request: Mapping[str, Any]) -> Callable[[Model], int]:
    """Counts once for each family of tokenizers, whichever model asks."""
    known: dict[str, int] = {}

    def tokens(model: Model) -> int:
        family = family_of(model.name)
        if family not in known:
            known[family] = estimate_input(request, family)
        return known[family]

    return tokens
