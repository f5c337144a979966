"""The one probe of a half-open circuit, with threads for processes: on the fake and on DynamoDB."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest
from broker.cloud.database import DynamoDatabase
from broker.consequences import SUCCEEDED
from broker.errors import CircuitOpen, CredentialRejected
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.circuits import FIRST_COOLING_MS
from broker.storage import Database

from tests.adapters.conftest import TABLES
from tests.fakes.database import FakeDatabase

NOW = 1_795_000_000_000
LEASE = 60_000
PROCESSES = 12


class OneAtATime:
    """A client whose requests do not overlap: DynamoDB checks and writes an item in one step, moto in two."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**request)

        return call


@pytest.fixture(params=["fake", "dynamodb"])
def database(request: pytest.FixtureRequest) -> Database:
    if request.param == "fake":
        return FakeDatabase()
    return DynamoDatabase(OneAtATime(request.getfixturevalue("dynamodb")), TABLES)  # type: ignore[arg-type]


def process(database: Database) -> Breakers:
    return Breakers(database, Board(database), chance=lambda: 0.0)


@pytest.mark.parametrize("found", [SUCCEEDED, "Unavailable"])
def test_exactly_one_of_many_at_once_probes(database: Database, found: str) -> None:
    process(database).record("m", "acme", CredentialRejected.__name__, 5, NOW)
    now = NOW + FIRST_COOLING_MS
    for _ in range(3):
        start = Barrier(PROCESSES)

        def ask(asker: Breakers, now: int = now, start: Barrier = start) -> Breakers | None:
            assert asker.states(now, "acme")["m"].phase == "half_open"
            start.wait()
            try:
                asker.admit("m", "acme", now, LEASE)
            except CircuitOpen:
                return None
            return asker

        with ThreadPoolExecutor(PROCESSES) as threads:
            probing = [each for each in threads.map(ask, [process(database) for _ in range(PROCESSES)]) if each]
        assert len(probing) == 1
        now += LEASE  # nobody tells what became of it
    process(database).admit("m", "acme", now, LEASE)
    with pytest.raises(CircuitOpen):
        process(database).admit("m", "acme", now, LEASE)


def test_a_circuit_goes_round(database: Database) -> None:
    first = process(database)
    for _ in range(10):
        first.record("m", "acme", "Throttled", 5, NOW)
    assert process(database).states(NOW, "acme")["m"].until == NOW + FIRST_COOLING_MS
    again = NOW + FIRST_COOLING_MS
    probing = process(database)
    probing.admit("m", "acme", again, LEASE)
    probing.record("m", "acme", "Throttled", 5, again)
    assert process(database).states(again, "acme")["m"].until == again + 2 * FIRST_COOLING_MS
    last = again + 2 * FIRST_COOLING_MS
    probing.admit("m", "acme", last, LEASE)
    probing.record("m", "acme", SUCCEEDED, 5, last)
    assert process(database).states(last, "acme") == {}
    found = process(database).figures(last)["m"]
    assert (found.calls > 0, found.mean_ms) == (True, 5)
