"""Whether a connection may still listen: its key may be revoked, or over, while it is open."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from broker.push.connection import Connection, Connections

CHECK_MS = 60_000
"""How long a key that was found good is not asked about again before something is sent."""


@dataclass(frozen=True, slots=True)
class MayListen:
    """Looks at keys."""

    connections: Connections
    is_good: Callable[[str, int], bool]
    """Whether the key with a hash opens anything at a time."""

    def __call__(self, connection: Connection, now: int, *, at_once: bool = False) -> bool:
        """False where its key is no longer good: as of `CHECK_MS` ago at most, or `at_once`, of this moment.

        A token holds until it ends, and the connection with it (`Connection.ends_at`).
        """
        if not connection.digest:
            return True
        age = now - connection.checked_at
        if age < CHECK_MS and not at_once:
            return True
        if not self.is_good(connection.digest, now):
            return False
        if age >= CHECK_MS:
            self.connections.change(
                connection.tenant, connection.id, now, lambda each: replace(each, checked_at=max(each.checked_at, now))
            )
        return True
