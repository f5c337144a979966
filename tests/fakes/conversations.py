"""Turns of conversations in the tables in memory."""

import itertools
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.context.conversations import KeptTurn, Turn
from broker.context.records import Record
from broker.context.summaries import Summary, SummaryPlace
from broker.jobs.store import Linked
from broker.storage import ConditionFailed, If, Item, Put

from tests.fakes.database import FakeDatabase

SUMMARY_FACTS = ("through", "messages", "tokens", "expires_at", "text", "mapping", "by")


@dataclass(slots=True)
class FakeTurns:
    """See `broker.context.conversations.Turns`."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    asked: list[str] = field(default_factory=list)
    """What was read, in order: `place`, `turns`."""
    _tokens: Any = field(default_factory=itertools.count)

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None, since: str = ""
    ) -> Sequence[KeptTurn]:
        """See `Turns.newest`."""
        self.asked.append("turns")
        last = "~" if before is None else before
        found = self.database.query_between("jobs", _pk(tenant, conversation), f"TURN#{since}", f"TURN#{last}")[::-1]
        page = [item for item in found if item["sk"] != f"TURN#{before}"][:limit]
        return [
            KeptTurn(
                *(_job_of(item), item["at"], item["tokens"], item["expires_at"], partial(json.loads, item["z"])),
                partial(dict, item["mapping"]),
                item["model"],
            )
            for item in page
            if item["expires_at"] > now // 1000
        ]

    def stage(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> Put:
        """See `Turns.stage`."""
        keys = {"pk": _pk(tenant, conversation), "sk": f"TURN#{turn.job_id}"}
        kept = {"at": turn.at, "tokens": turn.tokens, "expires_at": expires_at, "z": json.dumps(turn.messages).encode()}
        kept |= {"mapping": turn.mapping, "model": turn.model}
        return Put("jobs", keys | kept)

    def recheck(self, staged: Put) -> None:
        """See `Turns.recheck`."""
        pk = staged.item["pk"]
        erased = (self.database.get("jobs", pk, "ERASED") or {}).get("at", -1) >= staged.item["at"]
        if erased:
            self.drop(staged)
        summary = self.database.get("jobs", pk, "SUMMARY") or {}
        if erased or summary.get("through", "") >= _job_of(staged.item):
            self._renew(pk)

    def drop(self, staged: Put) -> None:
        """See `Turns.drop`."""
        self.database.delete("jobs", staged.item["pk"], staged.item["sk"])

    def link(
        self, tenant: str, conversation: str, kept: KeptTurn, messages: Sequence[Any], *, filled: bool
    ) -> Linked | None:
        """See `Turns.link`."""
        if self.database.get("jobs", _pk(tenant, conversation), f"TURN#{kept.job_id}") is None:
            return None
        size = len(json.dumps(messages, ensure_ascii=False, separators=(",", ":")).encode())
        return Linked(f"https://files.example/{conversation}/{kept.job_id}/{filled}", size, "application/json")

    def record(self, tenant: str, conversation: str, now: int) -> Record | None:
        """See `Records.record`."""
        item = self.database.get("jobs", _pk(tenant, conversation), "META")
        if item is None or item["expires_at"] <= now // 1000:
            return None
        return Record(item["at"], item["expires_at"], item["metadata"])

    def keep_record(self, tenant: str, conversation: str, record: Record) -> None:
        """See `Records.keep_record`."""
        known = {"at": record.created_at, "expires_at": record.expires_at, "metadata": record.metadata}
        self.database.write(Put("jobs", {"pk": _pk(tenant, conversation), "sk": "META", **known}))

    def add(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> None:
        """See `Records.add`."""
        self.keep(tenant, conversation, turn, expires_at)

    def change(self, tenant: str, conversation: str, kept: KeptTurn, turn: Turn) -> bool:
        """See `Records.change`."""
        staged = self.stage(tenant, conversation, turn, kept.expires_at)
        with suppress(ConditionFailed):
            self.database.write(Put("jobs", staged.item, (If("tokens", "=", kept.tokens),)))
            self.recheck(staged)
            return True
        return False

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """See `Turns.erase`."""
        pk = _pk(tenant, conversation)
        self.database.delete("jobs", pk, "META")
        self.database.write(Put("jobs", {"pk": pk, "sk": "ERASED", "at": now, "expires_at": now // 1000 + 1}))
        for item in self.database.query("jobs", pk, "TURN#"):
            self.database.delete("jobs", pk, item["sk"])
        self._renew(pk)

    def erase_turn(self, tenant: str, conversation: str, job_id: str) -> None:
        """See `Turns.erase_turn`."""
        pk = _pk(tenant, conversation)
        self.database.delete("jobs", pk, f"TURN#{job_id}")
        stands = self.database.get("jobs", pk, "SUMMARY") or {}
        if "through" in stands and stands["through"] < job_id:
            self.database.write(Put("jobs", stands | {"mark": self._new_token()}))
        else:
            self._renew(pk)

    def place(self, tenant: str, conversation: str, now: int) -> SummaryPlace:
        """See `Summaries.place`."""
        self.asked.append("place")
        item = self.database.get("jobs", _pk(tenant, conversation), "SUMMARY")
        if item is None:
            return SummaryPlace(None, None)
        if "text" not in item or item["expires_at"] <= now // 1000:
            return SummaryPlace(item["mark"], None)
        facts = {name: item[name] for name in SUMMARY_FACTS}
        return SummaryPlace(item["mark"], Summary(**facts))

    def stage_summary(self, tenant: str, conversation: str, summary: Summary, version_token: str | None) -> Put:
        """See `Summaries.stage_summary`."""
        item: Item = {"pk": _pk(tenant, conversation), "sk": "SUMMARY", "mark": self._new_token()}
        facts = {name: getattr(summary, name) for name in SUMMARY_FACTS}
        return Put(
            "jobs", item | facts, (If("pk", "absent") if version_token is None else If("mark", "=", version_token),)
        )

    def verify_turns(self, staged: Put, turns: Sequence[str], since: str, now: int) -> None:
        """See `Summaries.verify_turns`."""
        pk, through = staged.item["pk"], staged.item["through"]
        found = self.database.query_between("jobs", pk, f"TURN#{since}", f"TURN#{through}")
        if [_job_of(item) for item in found if item["expires_at"] > now // 1000] != list(turns):
            with suppress(ConditionFailed):
                self._renew(pk, If("mark", "=", staged.item["mark"]))

    def keep(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> None:
        """As the end of a job does it: the write in a commit, then a look at erasures."""
        staged = self.stage(tenant, conversation, turn, expires_at)
        self.database.write(staged)
        self.recheck(staged)

    def _renew(self, pk: str, *when: If) -> None:
        item = {"pk": pk, "sk": "SUMMARY", "mark": self._new_token(), "expires_at": 0}
        self.database.write(Put("jobs", item, when))

    def _new_token(self) -> str:
        return f"token-{next(self._tokens)}"


def _pk(tenant: str, conversation: str) -> str:
    return f"CONV#{tenant}#{conversation}"


def _job_of(turn: Item) -> str:
    return str(turn["sk"]).removeprefix("TURN#")
