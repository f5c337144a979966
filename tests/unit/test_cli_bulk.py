"""`broker bulk …`, against the REST door itself."""

import json
from collections.abc import Iterator

import pytest
from broker.bulk.record import Bulks
from broker.cli import main
from broker.cli.exits import Exit

from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    found = Door()
    with RestServer(found) as running:
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        yield found


def test_what_is_said_is_what_is_asked(door: Door, capsys: Printed) -> None:
    said = ["--status", "failed", "--status", "expired", "--tag", "order=17=b", "--before", "2026-01-01T00:00:00Z"]
    assert main(["bulk", "retry", *said, "--dry-run", "--detach", "--idempotency-key", "k"]) == 0
    shown = json.loads(capsys.readouterr().out)
    kept = Bulks(door.world.database).get(shown["id"], "acme")
    assert (kept.action, kept.is_dry) == ("retry", True)
    assert {**kept.meant, "before": None} == {
        "status": ["failed", "expired"],
        "tag": {"key": "order", "value": "17=b"},
        "before": None,
    }
    assert main(["bulk", "get", shown["id"]]) == 0
    assert json.loads(capsys.readouterr().out) == shown


@pytest.mark.parametrize(
    ("said", "field"), [([], "filter"), (["--tag", "order"], "KEY=VALUE"), (["--after", "monday"], "created_after")]
)
def test_what_is_wrong_is_named(door: Door, capsys: Printed, said: list[str], field: str) -> None:
    assert main(["bulk", "cancel", *said]) == Exit.INVALID
    assert field in capsys.readouterr().err
