"""Identical rows of a batch are paid once, where it asks for that: the first runs, and the others take its answer.

    pk BATCH#id#SAME#fingerprint   sk FIRST         the row that runs
    pk BATCH#id#000017             sk ROW#042       of a row that follows: the `first`, and its `line`
                                   sk WAIT#000023   that rows of another shard wait for answers of this one

Whoever follows says so in the first one's shard, and then looks whether the answer is there already. The shard of the
first, when it gets light and when its own rows have ended, has those looked at that said so. So one of the two sees the
other, and nobody writes a row's end but its own shard.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from broker.batches.batch import Batch
from broker.batches.listing import batch_pk
from broker.batches.shard import RowEnd, Shard, place_of_row, shard_pk
from broker.batches.store import Batches
from broker.storage import ConditionFailed, Database, If, Item, Put, Update


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Who follows whom."""

    database: Database
    batches: Batches

    def follows(self, batch: Batch, shard: Shard, place: int, line: int, fingerprint: str) -> bool:
        """True of a row that is not to be run, for one before it asks the same; may be repeated.

        Args:
            batch: the batch.
            shard: of the row.
            place: of the row in it.
            line: of the row.
            fingerprint: of its request (`jobs.idempotency.fingerprint`).
        """
        row, kept = shard.first_row + place, {"expires_at": shard.expires_at}
        mine: Item = {"pk": f"{batch_pk(batch.id)}#SAME#{fingerprint}", "sk": "FIRST", "row": row, "line": line, **kept}
        try:
            self.database.write(Put("jobs", mine, (If("pk", "absent"),)))
        except ConditionFailed:
            first = self.database.get("jobs", mine["pk"], "FIRST") or mine
        else:
            return False
        if first["row"] == row:
            return False
        own, others = shard_pk(batch.id, shard.number), shard_pk(batch.id, place_of_row(first["row"])[0])
        follows = {"pk": own, "sk": f"ROW#{place:03}", "first": first["row"], "line": first["line"], **kept}
        waits = {"pk": others, "sk": f"WAIT#{shard.number:06}", "shard": shard.number, **kept}
        self.database.write(Put("jobs", follows))
        self.database.write(Put("jobs", waits))
        return True

    def catch_up(self, batch: Batch, shard: Shard) -> Shard | None:
        """End the rows of a shard that follow rows which have ended; the shard after it, None where it is gone."""
        apart = self.batches.rows_apart(batch.id, shard.number)
        followers = sorted(place for place, item in apart.items() if "first" in item)
        open_rows = {place: place_of_row(apart[place]["first"]) for place in followers if place not in shard.ends}
        firsts = {
            number: self.batches.shard(batch.id, number) for number in {number for number, _ in open_rows.values()}
        }
        ends = {
            place: RowEnd(end.status)
            for place, (number, first) in open_rows.items()
            if (end := firsts[number].ends.get(first))
        }
        if not ends and tuple(followers) == shard.followers:
            return shard
        return self.batches.end_rows(batch.id, shard.number, ends, followers)

    def waiting(self, shard: Shard) -> list[int]:
        """The shards with rows that wait for answers of this one, and were not told yet that there are no more."""
        found = self.database.query("jobs", shard_pk(shard.batch, shard.number), "WAIT#")
        return [item["shard"] for item in found if "told" not in item]

    def told(self, shard: Shard, waiting: Iterable[int]) -> None:
        """Note that they were told."""
        for number in waiting:
            with suppress(ConditionFailed):
                pk = shard_pk(shard.batch, shard.number)
                told = Update("jobs", pk, f"WAIT#{number:06}", set={"told": True}, when=(If("pk", "exists"),))
                self.database.write(told)
