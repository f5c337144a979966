"""What is told of a permission that somebody does not have: to who asked, and to those who keep watch."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from broker.errors import PermissionDenied
from broker.permissions.rules import OF_REQUESTS, Permission
from broker.permissions.who import Who

PARAMS = {
    "tasks": "task",
    "prompts": "prompt.id",
    "query_types": "routing.query_type",
    "data_classes": "data_class",
    "doors": None,
}
"""The field of a request that says what kind of resource it asks for; a door is none."""


@dataclass(frozen=True, slots=True)
class Denial:
    """One thing that somebody may not do; ids and names alone."""

    who: Who
    rule: str
    param: str | None
    """The field that asked for it, where one did."""
    job_id: str = ""
    """Of the job that had been accepted; empty at the door."""


OnDenied = Callable[[Denial], None]
"""Where each denial goes: one line in the log."""


def quietly(denial: Denial) -> None:
    """An `OnDenied` that tells nobody."""


def refusal(rules: Collection[Permission], param: str | None = "model") -> PermissionDenied:
    """The error of who is kept from something.

    Args:
        rules: those that keep them from it; one at least.
        param: the field that asks for a model, for rules about models.
    """
    first = next(iter(rules))
    of_request = next((name for name in OF_REQUESTS if name in first.on), None)
    if of_request and not first.on.keys() - {*OF_REQUESTS}:
        param = PARAMS[of_request]
    how = first.ask or "Ask the operators of the broker for it."
    message = f"The permission {first.id!r} does not allow this to you. {how}"
    told = {"permission": {"rule": first.id, "ask": first.ask or None}}
    return PermissionDenied(message, code="permission_denied", param=param, beside=told)
