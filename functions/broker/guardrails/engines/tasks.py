"""Which models can judge for a check, and by which of their tasks they are then asked."""

from collections.abc import Collection, Mapping

TASKS: Mapping[str, tuple[str, ...]] = {
    "harmful_content": ("chat", "moderate"),
    "injection": ("chat", "moderate"),
    "personal_data": ("entities", "moderate"),
    "topics": ("chat",),
}
"""By check, the first of them that a model has: as a judge, to moderate, or to find personal data with its places."""

BY_SIGHT: Mapping[str, tuple[str, ...]] = {
    "harmful_content": ("chat", "moderate"),
    "injection": ("chat",),
    "topics": ("chat",),
}
"""By check, the tasks by which a model with the capability `vision` judges pictures for it."""

SIGHT_ALONE = frozenset({"rekognition"})
"""Providers whose services moderate pictures, and no texts."""

TEXTS_ALONE = frozenset({"azure_content_safety", "comprehend"})
"""Providers whose services moderate texts, and no pictures."""

PLACED = frozenset({"personal_data"})
"""Checks whose engines tell where in the text something stands."""


def task_for(check: str, tasks: Collection[str], *, asynchronous: bool = False) -> str | None:
    """The task by which a model with these tasks judges for a check; None where it cannot.

    A model whose provider goes on by itself judges nothing: nobody comes back for a verdict.
    """
    return None if asynchronous else next((task for task in TASKS[check] if task in tasks), None)


def can_see(check: str, task: str | None, provider: str, capabilities: Collection[str]) -> bool:
    """True where a model of this provider that judges by this task is shown pictures for a check."""
    blind = task == "moderate" and provider in TEXTS_ALONE
    return task in BY_SIGHT.get(check, ()) and "vision" in capabilities and not blind


def reads_texts(provider: str, task: str | None) -> bool:
    """False where a model of this provider that judges by this task is asked about pictures alone."""
    return task != "moderate" or provider not in SIGHT_ALONE
