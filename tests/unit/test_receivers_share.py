"""One slow receiver takes no more than its share: what others wait for their webhooks does not move.

`pytest -s tests/unit/test_receivers_share.py` prints what they wait.
"""

import random
from collections.abc import Callable
from functools import cache

import pytest

from tests.fakes.world import SECOND
from tests.unit.receivers_case import Deliveries, Post, share

LASTS_S = 400
DICE = random.Random(3)
OTHERS = [
    Post(
        DICE.randrange(LASTS_S * SECOND), f"other-{DICE.randrange(40)}", f"h{DICE.randrange(60)}.example", 100 + 10 * n
    )
    for n in [DICE.randrange(30) for _ in range(LASTS_S * 2)]
]
"""Two a second, of forty tenants, answered within 0.1 to 0.4 s."""


def slow(
    each_second: int, host: Callable[[int], str], tenant: Callable[[int], str], ms: int, fails: bool
) -> list[Post]:
    """What comes beside them."""
    every = SECOND // each_second
    return [Post(n * every, tenant(n), host(n), ms, fails) for n in range(LASTS_S * each_second // 3)]


LOADS = {
    "a receiver that never answers": slow(5, lambda n: "slow.example", lambda n: "hostile", 10_000, True),
    "one that trickles its answer": slow(5, lambda n: "slow.example", lambda n: "hostile", 9_500, False),
    "one that is asked often, and is a little slow": slow(15, lambda n: "slow.example", lambda n: "busy", 2_500, False),
    "a tenant with a name for each of its webhooks": slow(
        5, lambda n: f"{n}.slow.example", lambda n: "hostile", 15_000, True
    ),
    "two tenants that send to the same one": slow(
        5, lambda n: "slow.example", lambda n: f"hostile-{n % 2}", 10_000, True
    ),
    "one that is just quick enough, and is asked often": slow(
        40, lambda n: "h.example", lambda n: "busy", 1_900, False
    )[:3000],
    "five tenants, each with ten": slow(
        10, lambda n: f"{n % 10}.{n % 5}.example", lambda n: f"hostile-{n % 5}", 10_000, True
    ),
}


@cache
def p95_alone() -> int:
    return p95(OTHERS)[0]


def p95(posts: list[Post], *, limited: bool = True) -> tuple[int, Deliveries]:
    deliveries = Deliveries(sorted(posts, key=lambda post: post.at), limited)
    deliveries.run(LASTS_S + 60)
    return share(deliveries.waits_of("other-"), 0.95), deliveries


@pytest.mark.parametrize("load", LOADS)
def test_a_slow_receiver_does_not_move_what_others_wait(load: str) -> None:
    alone = p95_alone()
    beside, limited = p95([*OTHERS, *LOADS[load]])
    unlimited, _ = p95([*OTHERS, *LOADS[load]], limited=False)
    done = [wait for wait in limited.waits_of("hostile") + limited.waits_of("busy") if wait < 10**9]
    p99 = share(limited.waits_of("other-"), 0.99)
    print(
        f"\n{load}: others' p95 {alone / 1000:.2f} s alone, {beside / 1000:.2f} s beside it (p99 {p99 / 1000:.1f}), "
        f"{unlimited / 1000:.1f} s without a limit; {len(done)} of {len(LOADS[load])} of its own were attempted; "
        f"{limited.receives} messages, {limited.attempts} attempts"
    )
    assert beside <= alone + 50
    assert done, "it has its share"
    assert unlimited > 3 * alone, "else this would prove nothing"
