"""The bucket of the audit trail in memory: what is written is written once."""

from collections.abc import Iterator

from broker.audit.chain import Stored, key_of


class FakeBlocks:
    """The fake of `audit.appending.Blocks`."""

    def __init__(self, name: str = "audit") -> None:
        self.name = name
        self.kept: dict[int, bytes] = {}
        self.lost_answers = 0
        """So many writes are done and answered as if there had been something."""

    def put(self, number: int, data: bytes) -> bool:
        """See `Blocks.put`."""
        if number in self.kept:
            return False
        self.kept[number] = data
        if self.lost_answers:
            self.lost_answers -= 1
            return False
        return True

    def get(self, number: int) -> bytes | None:
        """See `Blocks.get`."""
        return self.kept.get(number)

    def all(self) -> Iterator[Stored]:
        """As `AuditBucket.all`."""
        yield from (Stored(key_of(number), data) for number, data in sorted(self.kept.items()))
