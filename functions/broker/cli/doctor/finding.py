"""What is wrong, how much it matters, and the command that mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Jobs fail, or will, or are not accepted."""
    WARNING = "warning"
    """Jobs are done, and something will go wrong, or nobody would notice it."""
    UNCHECKED = "not checked"
    """The embedded cloud has nothing of the kind."""


STATUS = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.UNCHECKED: 0}
"""Exit statuses; that of the command is the highest of all its findings, 0 without any."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing; `mend` is a line for the shell, empty where there is nothing to mend."""

    severity: Severity
    what: str
    mend: str = ""


def error(what: str, mend: str) -> Finding:
    """A finding by which jobs fail."""
    return Finding(Severity.ERROR, what, mend)


def warning(what: str, mend: str) -> Finding:
    """A finding by which none fails yet."""
    return Finding(Severity.WARNING, what, mend)


def exit_status(findings: Iterable[Finding]) -> int:
    """That of the worst."""
    return max((STATUS[each.severity] for each in findings), default=0)
