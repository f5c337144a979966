"""The far end of connections: it keeps what was sent, and fails as a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from broker.push.telling import ConnectionGone


@dataclass(slots=True)
class FakeGateway:
    """See `broker.push.telling.Gateway`. A connection that was never `opened` is gone."""

    opened: set[str] = field(default_factory=set)
    sent: list[tuple[str, str]] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    """Connections that a post was made to, whatever became of it."""
    slow: set[str] = field(default_factory=set)
    """Posts to these are not answered in time."""
    stuck: set[str] = field(default_factory=set)
    """These cannot be closed either."""
    before_post: Callable[[str], Any] = lambda connection_id: None

    def post(self, connection_id: str, text: str) -> None:
        """See `Gateway.post`."""
        self.posts.append(connection_id)
        self.before_post(connection_id)
        if connection_id in self.slow:
            raise TimeoutError(connection_id)
        if connection_id not in self.opened:
            raise ConnectionGone(connection_id)
        self.sent.append((connection_id, text))

    def close(self, connection_id: str) -> None:
        """See `Gateway.close`."""
        if connection_id in self.stuck:
            raise TimeoutError(connection_id)
        self.opened.discard(connection_id)

    def texts(self, connection_id: str) -> list[str]:
        """What a connection was sent."""
        return [text for to, text in self.sent if to == connection_id]
