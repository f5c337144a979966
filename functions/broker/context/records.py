"""What is kept of a conversation beside its turns: when it was made, and what its client says of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from broker.context.conversations import KeptTurn, Turn


@dataclass(frozen=True, slots=True)
class Record:
    """Of a conversation that a client made, and did not only name."""

    created_at: int
    """Milliseconds."""
    expires_at: int
    """Epoch seconds."""
    metadata: dict[str, str] = field(default_factory=dict)


class Records(Protocol):
    """Where records are kept, and turns that no job brings."""

    def record(self, tenant: str, conversation: str, now: int) -> Record | None:
        """The record; None where there is none (any more)."""
        ...

    def keep_record(self, tenant: str, conversation: str, record: Record) -> None:
        """Keep a record, in the place of the one before it."""
        ...

    def add(self, tenant: str, conversation: str, turn: "Turn", expires_at: int) -> None:
        """Keep a turn that no job brings, until `expires_at` (epoch seconds); a summary that hides it goes."""
        ...

    def change(self, tenant: str, conversation: str, kept: "KeptTurn", turn: "Turn") -> bool:
        """Put a turn of fewer tokens in the place of one as it was read, and let a summary of it go.

        False where it was changed or erased since it was read; nothing is changed then.
        """
        ...
