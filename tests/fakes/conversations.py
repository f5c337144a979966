"""Turns of conversations in the tables in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.context.conversations import Kept, Turn
from broker.storage import Put

from tests.fakes.database import FakeDatabase


@dataclass(slots=True)
class FakeTurns:
    """See `broker.context.conversations.Turns`."""

    database: FakeDatabase = field(default_factory=FakeDatabase)

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None
    ) -> Sequence[Kept]:
        """See `Turns.newest`."""
        found = self.database.query("jobs", f"CONV#{tenant}#{conversation}", "TURN#")[::-1]
        page = [item for item in found if before is None or item["sk"] < f"TURN#{before}"][:limit]
        return [
            Kept(item["sk"].removeprefix("TURN#"), item["at"], item["tokens"], partial(json.loads, item["z"]))
            for item in page
            if item["expires_at"] > now // 1000
        ]

    def stage(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> Put:
        """See `Turns.stage`."""
        keys = {"pk": f"CONV#{tenant}#{conversation}", "sk": f"TURN#{turn.job_id}"}
        kept = {"at": turn.at, "tokens": turn.tokens, "expires_at": expires_at, "z": json.dumps(turn.messages).encode()}
        return Put("jobs", keys | kept)

    def heed(self, staged: Put) -> None:
        """See `Turns.heed`."""
        mark = self.database.get("jobs", staged.item["pk"], "ERASED")
        if mark is not None and mark["at"] >= staged.item["at"]:
            self.drop(staged)

    def drop(self, staged: Put) -> None:
        """See `Turns.drop`."""
        self.database.delete("jobs", staged.item["pk"], staged.item["sk"])

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """See `Turns.erase`."""
        pk = f"CONV#{tenant}#{conversation}"
        self.database.write(Put("jobs", {"pk": pk, "sk": "ERASED", "at": now, "expires_at": now // 1000 + 1}))
        for item in self.database.query("jobs", pk, "TURN#"):
            self.database.delete("jobs", pk, item["sk"])

    def erase_turn(self, tenant: str, conversation: str, job_id: str) -> None:
        """See `Turns.erase_turn`."""
        self.database.delete("jobs", f"CONV#{tenant}#{conversation}", f"TURN#{job_id}")

    def keep(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> None:
        """As the end of a job does it: the write in a commit, then a look at erasures."""
        staged = self.stage(tenant, conversation, turn, expires_at)
        self.database.write(staged)
        self.heed(staged)
