"""`broker batch …` with rows in OpenAI's form."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from broker.batches.store import Batches
from broker.cli import main

from tests.unit.doors.batch_case import CHAT, row
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer


def test_rows_in_openais_form_are_run_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    door, rows = Door(), tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(row("a")))
    with RestServer(door) as server:
        monkeypatch.setenv("BROKER_URL", server.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        assert main(["batch", "run", str(rows), "--endpoint", CHAT, "--detach"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert Batches(door.world.database).get(made["id"], "acme").asked["endpoint"] == CHAT
        assert main(["batch", "estimate", str(rows), "--endpoint", CHAT]) == 0
        assert json.loads(capsys.readouterr().out)["sample"] == {"rows": 1, "rejected": 0, "errors": []}
        assert main(["batch", "list"]) == 0
        batch_id, made_at, *_ = capsys.readouterr().out.split()
    assert batch_id == made["id"]
    assert int(datetime.fromisoformat(made_at).timestamp()) == made["created_at"], "the time is one that people read"
