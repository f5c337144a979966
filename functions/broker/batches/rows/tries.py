"""How the lines of a shard, or of a file, are tried: pass by pass, each over what the one before left to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from broker.bounds import Overrun
from broker.errors import BrokerError

PAUSES_S = (35, 120, 300)
"""Before lines that failed are tried again. The first lets what a crash left of an accept be taken over
(`jobs.idempotency.ACCEPTING_MS`)."""

TRIES = len(PAUSES_S) + 1

LINE_S, LEAST_S = 5.0, 1.0
"""A line's time: some ten times what a slow one needs. Each that takes too long halves it for the next, so a thousand
that hang do so for a quarter of an hour; each that goes well restores it."""


class LineFailed(BrokerError):
    """A line that could not be taken for a reason that is ours."""

    def __init__(self) -> None:
        super().__init__(f"The request could not be taken in {TRIES} tries; the fault is ours.", code="line_failed")


@dataclass(slots=True)
class Pass:
    """One way through lines. `goes_on`, in the event, says what the messages before left to do."""

    event: dict[str, Any]
    tries: int
    lines: set[int] | None
    """Those to be taken; None for all."""
    failed: list[int]
    line_s: float
    patience_s: float
    held: list[int] = field(default_factory=list)
    """Those that something keeps which will pass by itself."""

    @classmethod
    def of(cls, event: dict[str, Any], line_s: float = LINE_S) -> Self:
        """The pass that an event asks for: the first, where none came before. `line_s` is the time of a line."""
        goes_on = event.get("goes_on", {})
        lines = set(goes_on["lines"]) if "lines" in goes_on else None
        failed, patience_s = list(goes_on.get("failed", ())), goes_on.get("patience_s", line_s)
        return cls(event, goes_on.get("tries", 1), lines, failed, line_s, patience_s)

    @property
    def is_last(self) -> bool:
        """True where a line that fails is not tried again."""
        return self.tries >= TRIES

    @property
    def is_backwards(self) -> bool:
        """True for every other pass: who stands behind lines that hang has the least time, and should not each time."""
        return self.tries % 2 == 0

    @property
    def pause_s(self) -> int:
        """Before the next pass."""
        return PAUSES_S[self.tries - 1]

    def has(self, line: int) -> bool:
        """True for a line of this pass."""
        return self.lines is None or line in self.lines

    def succeed(self) -> None:
        """Note that a line went well, or was rejected for its own fault."""
        self.patience_s = self.line_s

    def fail(self, line: int, error: BaseException) -> None:
        """Note that a line failed."""
        self.failed.append(line)
        if isinstance(error, Overrun):
            self.patience_s = max(self.patience_s / 2, min(self.patience_s, LEAST_S))

    def cut(self, left: Iterable[int]) -> dict[str, Any]:
        """The event by which this pass goes on."""
        return self._event(self.tries, [*self.held, *left], failed=self.failed, patience_s=self.patience_s)

    def waits(self, first_s: int, most_s: int, *, anew: bool) -> tuple[dict[str, Any], int]:
        """The event by which this pass goes on after a pause, and its seconds: twice the last one's, unless `anew`."""
        last_s = self.event.get("goes_on", {}).get("waited_s", 0)
        pause_s = first_s if anew or not last_s else min(2 * last_s, most_s)
        return self._event(
            self.tries, self.held, failed=self.failed, patience_s=self.patience_s, waited_s=pause_s
        ), pause_s

    def next(self) -> dict[str, Any]:
        """The event of the next pass, over what this one could not take."""
        return self._event(self.tries + 1, [*self.held, *self.failed])

    def _event(self, tries: int, lines: list[int], **more: Any) -> dict[str, Any]:
        return {**self.event, "goes_on": {"tries": tries, "lines": lines, **more}}
