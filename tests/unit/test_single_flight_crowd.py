"""One call for identical jobs, many of them and in any order: each ends, whatever fails or dies."""

from dataclasses import dataclass, field
from itertools import count
from random import Random

from broker.cache.single_flight import Alone, Flights, Leader, Member, Shared, Waiter
from broker.errors import Unavailable
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.database import FakeDatabase
from tests.fakes.world import MINUTE, NOW, SECOND

LEASE = 30 * SECOND
FAULT = Unavailable("The provider failed.")


@dataclass(slots=True)
class Crowd:
    """Identical jobs on one clock; the time of each next act is known."""

    chance: Random
    database: FakeDatabase = field(default_factory=FakeDatabase)
    ended: dict[int, str] = field(default_factory=dict)
    calls: int = 0
    leaders: dict[str, int] = field(default_factory=dict)
    """Tokens of leaders that live, and when their lease ends."""

    def run(self, jobs: int) -> None:
        """Let each act when its time has come, until all have ended."""
        tokens = count()
        due: list[tuple[int, int, Leader | None]] = [
            (NOW + self.chance.randrange(5 * SECOND), number, None) for number in range(jobs)
        ]
        while due:
            due.sort(key=lambda each: each[:2])
            now, number, leading = due.pop(0)
            if leading is not None:
                self._end(number, leading, now)
                continue
            me = Member(f"job_{number}", 1, NOW, NOW + 2 * MINUTE)
            role = Flights(self.database, lambda: f"m{next(tokens)}").join("acme", "k", me, now, LEASE)
            match role:
                case Waiter():
                    assert role.seconds >= 1
                    due.append((now + role.seconds * SECOND, number, None))
                case Leader():
                    alive = [token for token, until in self.leaders.items() if now < until]
                    assert not alive, "two lead at once"
                    self.calls += 1
                    self.leaders[role.token] = now + LEASE
                    if self.chance.random() < 0.8:
                        due.append((now + self.chance.randrange(LEASE), number, role))
                    else:
                        self.ended[number] = "died"
                case Shared():
                    assert role.output == "OUTPUT#1.1"
                    self.ended[number] = "took"
                case Alone():
                    self.calls += 1
                    self.ended[number] = "called"
            assert now <= NOW + 3 * MINUTE, "someone waits for ever"

    def _end(self, number: int, leading: Leader, now: int) -> None:
        del self.leaders[leading.token]
        if self.chance.random() < 0.7:
            answer = Shared(f"job_{number}", "OUTPUT#1.1", "small", {}, 1, now)
            Flights(self.database).share(leading, answer)
            self.ended[number] = "led"
        else:
            Flights(self.database).give_up(leading, FAULT, now)
            self.ended[number] = "failed"


@given(st.integers(0, 100_000), st.integers(1, 12))
def test_every_job_of_a_crowd_ends_whatever_fails_or_dies(seed: int, jobs: int) -> None:
    crowd = Crowd(Random(seed))
    crowd.run(jobs)
    assert crowd.ended.keys() == set(range(jobs))
    took = sum(how == "took" for how in crowd.ended.values())
    assert crowd.calls == jobs - took, "a call for each that took no other's answer"


def test_a_crowd_without_accidents_makes_one_call() -> None:
    class Lucky(Random):
        def random(self) -> float:
            return 0.0

    crowd = Crowd(Lucky(3))
    crowd.run(50)
    assert sorted(crowd.ended.values()) == ["led"] + ["took"] * 49
    assert crowd.calls == 1
