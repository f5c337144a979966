"""Turns of conversations in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.context.conversations import Kept, Turn


@dataclass(slots=True)
class FakeTurns:
    """See `broker.context.conversations.Turns`."""

    _kept: dict[tuple[str, str], dict[str, tuple[Turn, str, int]]] = field(default_factory=dict)
    _erased: dict[tuple[str, str], int] = field(default_factory=dict)

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None
    ) -> Sequence[Kept]:
        """See `Turns.newest`."""
        found = sorted(self._kept.get((tenant, conversation), {}).items(), reverse=True)
        page = [each for each in found if before is None or each[0] < before][:limit]
        return [
            Kept(job_id, turn.at, turn.tokens, partial(json.loads, text))
            for job_id, (turn, text, expires_at) in page
            if expires_at > now // 1000
        ]

    def append(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> None:
        """See `Turns.append`."""
        if self._erased.get((tenant, conversation), -1) < turn.at:
            kept = (turn, json.dumps(turn.messages), expires_at)
            self._kept.setdefault((tenant, conversation), {})[turn.job_id] = kept

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """See `Turns.erase`."""
        self._erased[tenant, conversation] = now
        self._kept.pop((tenant, conversation), None)
