"""Tokens of a request, as the models that might do it would count them."""

from collections.abc import Callable
from typing import Any

from broker.routing.models import Model
from broker.tokens import estimate_input


def counter(request: dict[str, Any]) -> Callable[[Model], int]:
    """Counts once, whichever model asks."""
    tokens = estimate_input(request)
    return lambda model: tokens
