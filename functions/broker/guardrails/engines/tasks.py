"""Which models can judge for a check, and by which of their tasks they are then asked."""

from collections.abc import Collection, Mapping

TASKS: Mapping[str, tuple[str, ...]] = {
    "harmful_content": ("chat", "moderate"),
    "injection": ("chat", "moderate"),
    "personal_data": ("entities", "moderate"),
    "topics": ("chat",),
}
"""By check, the first of them that a model has: as a judge, to moderate, or to find personal data with its places."""

PLACED = frozenset({"personal_data"})
"""Checks whose engines tell where in the text something stands."""


def task_for(check: str, tasks: Collection[str], *, asynchronous: bool = False) -> str | None:
    """The task by which a model with these tasks judges for a check; None where it cannot.

    A model whose provider goes on by itself judges nothing: nobody comes back for a verdict.
    """
    return None if asynchronous else next((task for task in TASKS[check] if task in tasks), None)
