"""A provider's outage, simulated: many processes, several hundred jobs, a clock that only the simulation moves.

`pytest -s tests/unit/test_outage.py` prints what happened.
"""

from itertools import pairwise

from broker.consequences import SUCCEEDED
from broker.routing.board import KEEP_MS
from broker.routing.circuits import FEWEST_CALLS, FIRST_COOLING_MS
from broker.routing.figures import SLOT_MS

from tests.fakes.counting import CountingDatabase
from tests.unit.outage_case import DEAD_FROM, DEAD_UNTIL, EVERY_MS, FAILS_AFTER_MS, JOBS, PROCESSES, Simulation


def test_an_outage_is_noticed_walked_around_probed_and_over() -> None:
    simulation = Simulation()
    simulation.run()
    changes = simulation.changes
    opened = next(at for at, to in changes if to == "opened")
    closed = next(at for at, to in changes if to == "closed")
    hits = [at for at, model, outcome in simulation.calls if outcome != SUCCEEDED]
    probes = [at for at, to in changes if to == "probed"]
    database = simulation.world.database
    assert isinstance(database, CountingDatabase)
    said = [
        f"{JOBS} jobs in {JOBS * EVERY_MS // 1000} s through {PROCESSES} processes; "
        f"the first choice is dead for {(DEAD_UNTIL - DEAD_FROM) // 1000} s",
        f"opened {(opened - DEAD_FROM) / 1000:.1f} s after the provider died; "
        f"closed {(closed - DEAD_UNTIL) / 1000:.1f} s after it was back",
        f"calls that hit the dead provider: {len(hits)} ({len(probes) - 1} of them probes), of "
        f"{(DEAD_UNTIL - DEAD_FROM) // EVERY_MS} jobs that began meanwhile; probes at "
        f"{[(at - DEAD_FROM) // 1000 for at in probes]} s",
        f"turned away at the call: {simulation.turned_away}; answers: {dict(simulation.answered)}",
        f"of the ledger table: {database.reads} reads and {database.writes} writes for {len(simulation.calls)} calls",
    ]
    print("\n" + "\n".join(said))

    # No job was lost, and each got one answer.
    assert sum(simulation.answered.values()) == JOBS

    # It opens soon, though the minute before was full of successes.
    assert DEAD_FROM < opened <= DEAD_FROM + FAILS_AFTER_MS + 2 * SLOT_MS
    # From when every process has heard of it, nothing but probes reaches the dead provider.
    heard = opened + KEEP_MS
    assert [at for at in hits if at >= heard] == [at for at in probes if heard <= at < DEAD_UNTIL]
    # Probes come one at a time, each after a cooling time that doubles.
    assert [to for _, to in changes] == ["opened", *["probed", "opened"] * (len(probes) - 1), "probed", "closed"]
    gaps = [after - before for before, after in pairwise(probes)]
    assert probes[0] >= opened + FIRST_COOLING_MS
    assert all(gap >= FIRST_COOLING_MS * 2 ** (place + 1) for place, gap in enumerate(gaps))

    # Traffic moves: all of it to the second choice while the first is open, and back after it is closed.
    moved = simulation.between(heard, probes[0])
    assert moved.keys() == {"secondary"}
    back = simulation.between(closed + KEEP_MS, simulation.now + 1)
    assert back.keys() == {"primary"}

    # Far fewer calls are wasted than jobs began during the outage.
    assert FEWEST_CALLS <= len(hits) < (DEAD_UNTIL - DEAD_FROM) // EVERY_MS / 4
