"""The entries as they stand, and every version that they had.

Table `registry`, for an entry of the kind MODEL with the id `small`, written in one transaction:

    MODELS / small              what the functions read (each kind has its own place), with `version`
    MODEL#small / V#0002        the same as it was then, with who, when and what changed; never written again
    ENTRIES#MODEL / small       the newest version in the document's form: what is listed, compared and fenced by

Long texts of a prompt lie beside the table, where they are before the items that point to them (`prompts.texts`).
"""

from functools import partial

from broker.errors import Conflict, NotFound
from broker.prompts.texts import Texts, read
from broker.registry.document import entry_class
from broker.registry.records import Change, Record, items_of, place, record_of
from broker.storage import ConditionFailed, Database, If, Item, Put


class Registry:
    """All entries of the deployment."""

    def __init__(self, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    def all(self, kind: str) -> dict[str, Record]:
        """The entries of a kind as they stand, by id.

        Raises:
            NotFound: there is no such kind.
        """
        items = self._database.query("registry", f"ENTRIES#{entry_class(kind).kind}")
        return {item["sk"]: self._record(kind, item["sk"], item) for item in items}

    def get(self, kind: str, entry_id: str, number: int | None = None) -> Record:
        """One entry as it stands, or the version with this number.

        Raises:
            NotFound: there is none, or no such kind.
        """
        record = self.find(kind, entry_id)
        if record is None:
            raise NotFound(f"There is no {entry_id!r} among the {kind}.", code="unknown_entry", param="id")
        if number is not None:
            record = self.version(kind, entry_id, number)
        if record is None:
            what = f"{entry_id!r} among the {kind} has no version {number}."
            raise NotFound(what, code="unknown_version", param="version")
        return record

    def find(self, kind: str, entry_id: str) -> Record | None:
        """One entry as it stands; None where there is none.

        Raises:
            NotFound: there is no such kind.
        """
        item = self._database.get("registry", f"ENTRIES#{entry_class(kind).kind}", entry_id)
        return None if item is None else self._record(kind, entry_id, item)

    def version(self, kind: str, entry_id: str, number: int) -> Record | None:
        """One version; None where there is none."""
        item = self._database.get("registry", *place(kind, entry_id, number))
        return None if item is None or "entry" not in item else self._record(kind, entry_id, item)

    def history(self, kind: str, entry_id: str) -> list[Record]:
        """All versions of an entry, the newest first.

        Raises:
            NotFound: there is none, or no such kind.
        """
        items = self._database.query("registry", f"{entry_class(kind).kind}#{entry_id}", "V#")
        records = [self._record(kind, entry_id, item) for item in reversed(items) if "entry" in item]
        if not records:
            raise NotFound(f"There is no {entry_id!r} among the {kind}.", code="unknown_entry", param="id")
        return records

    def write(self, change: Change, by: str, now: int) -> Record:
        """Write a change, if the entry still stands as it was read.

        Raises:
            Conflict: it was changed meanwhile; nothing was written.
        """
        version, current, head = items_of(change, by, now)
        apart = change.entry.apart()
        if apart is not None:
            self._texts.put(apart.digest, apart.packed)  # a failure from here on leaves a text that nothing points to
        # A prompt that was registered before versions had records of who and when is registered anew.
        operations = [Put("registry", version, (If("entry", "absent"),))]
        if change.number > change.base:
            stands = If("version", "=", change.base) if change.base else If("pk", "absent")
            operations += [Put("registry", head, (stands,)), Put("registry", current)]
        key = change.entry.key
        try:
            self._database.write(*operations)
        except ConditionFailed:
            what = f"{key!r} among the {change.kind} was changed meanwhile; nothing was written. Look and repeat."
            raise Conflict(what, code="changed_meanwhile") from None
        return record_of(change.kind, key, head, change.entry.content)

    def _record(self, kind: str, entry_id: str, item: Item) -> Record:
        return record_of(kind, entry_id, item, partial(read, item, self._texts))
