"""The objects of the bucket in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.jobs.cleaning import PER_PAGE, Ending, key_of

from tests.fakes.database import FakeDatabase


@dataclass(slots=True)
class FakeObjects:
    """See `broker.jobs.cleaning.Objects`."""

    database: FakeDatabase
    keys: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    """Keys that cannot be deleted."""

    def end(self, endings: Sequence[Ending]) -> int:
        """See `Objects.end`."""
        if not 1 <= len(endings) <= PER_PAGE:
            raise ValueError(f"a request deletes 1 to {PER_PAGE} objects")
        gone = [each for each in endings if key_of(each) not in self.stuck]
        for each in gone:
            self.keys.discard(key_of(each))
            self.database.delete("jobs", each.pk, each.sk)
        return len(gone)
