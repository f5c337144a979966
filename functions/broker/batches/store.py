"""Reading and changing batches: every write is conditional on the record that it was decided on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.batches.batch import Batch
from broker.batches.listing import Listed, Place, batch_pk
from broker.batches.shard import PASSED_OVER, REJECTED, RowEnd, Shard, end_name, place_of_row, shard_pk
from broker.errors import Conflict, NotFound
from broker.storage import ConditionFailed, Database, If, Item, Put, Update
from broker.tenants.ledger import release

TRIES = 20
"""Of a change that others come before: a shard each, a few at a time."""

MOST_PUTS = 100
"""Of one transaction (DynamoDB API Reference, TransactWriteItems)."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of one deployment, and their shards."""

    database: Database

    def find(self, batch_id: str) -> Batch | None:
        """The batch as of now, or None."""
        item = self.database.get("jobs", batch_pk(batch_id), "BATCH")
        return Batch.from_item(item) if item and "rev" in item else None  # files of the inbox have a record like it

    def get(self, batch_id: str, tenant: str | None = None) -> Batch:
        """The batch as of now.

        Raises:
            NotFound: there is no such batch, or it is another tenant's.
        """
        batch = self.find(batch_id)
        if batch is None or tenant not in (None, batch.tenant):
            raise NotFound("There is no such batch.", param="id")
        return batch

    def deliveries(self, batch: Batch) -> list[Item]:
        """Its webhooks, its own and those to registered endpoints; they go out when it has ended."""
        return self.database.query("jobs", batch_pk(batch.id), "NOTE#DELIVERY#") if batch.status.terminal else []

    def create(self, batch: Batch) -> bool:
        """Write a new batch; False where it is there."""
        try:
            self.database.write(Put("jobs", batch.to_item(), (If("pk", "absent"),)))
        except ConditionFailed:
            return False
        return True

    def change(self, batch_id: str, decide: Callable[[Batch], Batch], *beside: Put | Update) -> tuple[Batch, Batch]:
        """Read, decide, write; and all of it again when someone else wrote in between. Gives before and after.

        Nothing is written where nothing changes; `beside` belongs to the same commit, and so does what a batch
        gives back when it ends.

        Raises:
            NotFound: there is no such batch.
            Conflict: it would not hold still, or a condition of `beside` failed.
        """
        for _ in range(TRIES):
            before = self.get(batch_id)
            after = decide(before)
            if after == before:
                return before, after
            item = after.to_item() | {"rev": before.rev + 1}
            back = after.holds if after.status.terminal and not before.status.terminal else {}
            given = [release(bucket, tokens) for bucket, tokens in back.items()]
            try:
                self.database.write(Put("jobs", item, (If("rev", "=", before.rev),)), *beside, *given)
            except ConditionFailed as error:
                if 0 not in error.failed:
                    raise Conflict(f"a write beside batch {batch_id} was refused") from error
            else:
                return before, Batch.from_item(item)
        raise Conflict(f"batch {batch_id} changed {TRIES} times while it was being changed")

    def of_tenant(self, tenant: str, *, limit: int, cursor: Place | None) -> tuple[list[Batch], Place | None]:
        """A page of a tenant's batches, newest first."""
        places, following = Listed(self.database).page(tenant, limit, cursor)
        found = (self.find(place.batch_id) for place in places)
        return [batch for batch in found if batch], following

    def put_shards(self, shards: Sequence[Shard]) -> None:
        """Write new shards; those that are there stay as they are, for their rows may have begun."""
        for start in range(0, len(shards), MOST_PUTS):
            puts = [Put("jobs", each.to_item(), (If("pk", "absent"),)) for each in shards[start : start + MOST_PUTS]]
            try:
                self.database.write(*puts)
            except ConditionFailed as error:  # a repeat: the others are written one by one
                for place, put in enumerate(puts):
                    if place not in error.failed:
                        self._put_once(put)

    def _put_once(self, put: Put) -> None:
        try:
            self.database.write(put)
        except ConditionFailed:
            return

    def shard(self, batch_id: str, number: int) -> Shard:
        """A shard as of now.

        Raises:
            NotFound: there is none of that number.
        """
        shard = self.find_shard(batch_id, number)
        if shard is None:
            raise NotFound("There is no such shard.")
        return shard

    def find_shard(self, batch_id: str, number: int) -> Shard | None:
        """A shard as of now, or None."""
        item = self.database.get("jobs", shard_pk(batch_id, number), "SHARD")
        return Shard.from_item(item) if item else None

    def some_shards(self, batch_id: str, numbers: Sequence[int]) -> list[Shard]:
        """Some shards, in their order; what the last second wrote may not be seen.

        Raises:
            Unread: DynamoDB would not read them all now.
        """
        found = self.database.get_many("jobs", [(shard_pk(batch_id, each), "SHARD") for each in numbers])
        return sorted((Shard.from_item(item) for item in found), key=lambda shard: shard.number)

    def lease(self, shard: Shard, until: int, now: int) -> Shard | None:
        """Be the one who runs a shard's rows until then (milliseconds); None where another is, or it is gone."""
        if shard.lease_until is not None and shard.lease_until > now:
            return None
        found = If("lease_until", "absent") if shard.lease_until is None else If("lease_until", "=", shard.lease_until)
        return self._set(shard, {"lease_until": until}, found)

    def end_lease(self, shard: Shard, *, is_sent: bool = False) -> Shard | None:
        """Let others run what is left of a shard's rows, or nobody where all have been; None where it is gone."""
        return self._set(shard, {"lease_until": 0, "is_sent": True} if is_sent else {"lease_until": 0})

    def _set(self, shard: Shard, facts: dict[str, Any], *when: If) -> Shard | None:
        pk = shard_pk(shard.batch, shard.number)
        try:
            return Shard.from_item(
                self.database.update(Update("jobs", pk, "SHARD", set=facts, when=(If("pk", "exists"), *when)))
            )
        except ConditionFailed:
            return None

    def end_row(self, batch_id: str, row: int, end: RowEnd) -> Shard | None:
        """Count a row as ended, once however often; gives its shard as it stands then, None where it is gone."""
        number, place = place_of_row(row)
        return self.end_rows(batch_id, number, {place: end})

    def end_rows(
        self, batch_id: str, number: int, ends: Mapping[int, RowEnd], followers: Sequence[int] | None = None
    ) -> Shard | None:
        """The same for several rows of a shard, by their places, in one write; and which of them are `followers`."""
        facts: dict[str, Any] = {end_name(place): str(end) for place, end in ends.items()}
        if followers is not None:
            facts["followers"] = list(followers)
        ended = Update("jobs", shard_pk(batch_id, number), "SHARD", set=facts, when=(If("pk", "exists"),))
        try:
            return Shard.from_item(self.database.update(ended))
        except ConditionFailed:
            return None

    def pass_over(self, shard: Shard, places: Sequence[int]) -> Shard | None:
        """Count rows that are not begun, all by one write; as `end_row`."""
        if not places:
            return shard
        return self.end_rows(shard.batch, shard.number, dict.fromkeys(places, RowEnd(PASSED_OVER)))

    def reject_row(self, batch_id: str, row: int, error: dict[str, object]) -> Shard | None:
        """Keep why a row did not become a job, and count it; as `end_row`."""
        number, place = place_of_row(row)
        kept: Item = {"pk": shard_pk(batch_id, number), "sk": f"ROW#{place:03}", "error": error}
        shard = self.database.get("jobs", shard_pk(batch_id, number), "SHARD")
        if shard is None:
            return None
        self.database.write(Put("jobs", kept | {"expires_at": shard["expires_at"]}))
        return self.end_row(batch_id, row, RowEnd(REJECTED))

    def rows_apart(self, batch_id: str, number: int) -> dict[int, Item]:
        """What is kept of the rows of a shard that are no jobs of their own, by their place in it."""
        found = self.database.query("jobs", shard_pk(batch_id, number), "ROW#")
        return {int(item["sk"].removeprefix("ROW#")): item for item in found}

    def row_apart(self, batch_id: str, row: int) -> Item | None:
        """The same of one row; None where nothing is kept of it."""
        number, place = place_of_row(row)
        return self.database.get("jobs", shard_pk(batch_id, number), f"ROW#{place:03}")
