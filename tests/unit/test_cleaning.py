"""Cleaning: each object ends when its own time is over, whoever else has more or is stuck."""

from dataclasses import dataclass, field

from broker.jobs.cleaning import PER_PAGE, Clean, Cleaned, ends_partition
from broker.jobs.head import SHARDS
from broker.storage import Put

from tests.fakes.database import FakeDatabase
from tests.fakes.objects import FakeObjects
from tests.fakes.world import HOUR, MINUTE, NOW


@dataclass
class Cleaning:
    """A cleaning and all it touches."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    objects: FakeObjects = field(init=False)

    def __post_init__(self) -> None:
        self.objects = FakeObjects(self.database)

    def keep(self, key: str, until: int) -> None:
        note = {"pk": f"JOB#{key}", "sk": f"ENDS#{key}", "due": ends_partition(key), "due_at": until}
        self.database.write(Put("jobs", note))
        self.objects.keys.add(key)

    def __call__(self, now: int, looks: int = 1_000_000) -> Cleaned:
        left = iter(range(looks))
        return Clean(self.database, self.objects)(now, time_left=lambda: next(left, None) is not None)


def test_an_object_stays_until_its_time_and_not_longer() -> None:
    clean = Cleaning()
    clean.keep("jobs/a/BODY", NOW)
    clean.keep("jobs/b/BODY", NOW + HOUR)
    assert clean(NOW - 1) == Cleaned()
    assert clean.objects.keys == {"jobs/a/BODY", "jobs/b/BODY"}
    assert clean(NOW) == Cleaned(objects=1)
    assert clean.objects.keys == {"jobs/b/BODY"}, "another's is left alone"
    assert clean(NOW) == Cleaned(), "its note went too"
    assert clean(NOW + HOUR) == Cleaned(objects=1)


def test_what_cannot_be_deleted_holds_up_nothing_and_comes_again() -> None:
    clean = Cleaning()
    partition = ends_partition("jobs/0")
    keys = [key for key in (f"jobs/{n}" for n in range(20 * PER_PAGE)) if ends_partition(key) == partition]
    stuck, rest = keys[:PER_PAGE], keys[PER_PAGE : PER_PAGE + 5]
    for number, key in enumerate([*stuck, *rest]):
        clean.keep(key, NOW - HOUR + number)
    clean.objects.stuck = set(stuck)
    assert clean(NOW) == Cleaned(objects=5, failed=PER_PAGE)
    assert clean.objects.keys == set(stuck)
    clean.objects.stuck.clear()
    assert clean(NOW + MINUTE) == Cleaned(objects=PER_PAGE)
    assert clean.objects.keys == set()


def test_with_less_time_than_work_every_partition_has_its_turn() -> None:
    clean = Cleaning()
    for number in range(200):
        clean.keep(f"jobs/{number}", NOW)
    assert len({ends_partition(key) for key in clean.objects.keys}) == SHARDS
    for minute in range(SHARDS):
        cleaned = clean(NOW + minute * MINUTE, looks=1)
        assert cleaned.objects and not cleaned.finished
    assert clean.objects.keys == set()
