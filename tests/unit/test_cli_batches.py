"""`broker batch …`, against the REST door itself, and the progress of a batch on a terminal and without one."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker.batches.batch import Batch, BatchStatus
from broker.batches.shard import Sums
from broker.batches.store import Batches
from broker.cli import main
from broker.cli.progress import DRAW_OVER, follow, line
from broker.cli.rest_client import PIECE_BYTES

from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer

Printed = pytest.CaptureFixture[str]

PROMPT = {"pk": "PROMPT#shorten", "sk": "LATEST", "user": "Shorten: {{text}}"}


@pytest.fixture
def door() -> Door:
    found = Door()
    found.world.register(PROMPT)
    return found


@pytest.fixture
def server(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    with RestServer(door) as running:
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        yield running


def run(capsys: Printed, *arguments: str, status: int = 0) -> str:
    assert main(["batch", *arguments]) == status, capsys.readouterr()
    return capsys.readouterr().out


def a_file(folder: Path, data: str, name: str = "rows.jsonl") -> str:
    (folder / name).write_text(data)
    return str(folder / name)


def end(door: Door, batch_id: str, counts: dict[str, int], **changes: Any) -> Batch:
    """End a batch whose rows came to this."""
    known: dict[str, Any] = {
        "status": BatchStatus.COMPLETED,
        "is_planned": True,
        "rows": sum(counts.values()),
        "shards": 1,
        "sums": Sums(counts, 12_000_000),
    }
    return Batches(door.world.database).change(batch_id, lambda before: replace(before, **known | changes))[1]


def submitted(door: Door, capsys: Printed, folder: Path) -> str:
    made = run(capsys, "run", a_file(folder, '{"input": "Hello"}\n'), "--detach")
    return str(json.loads(made)["id"])


def test_a_file_is_uploaded_and_its_rows_are_run(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    rows = a_file(tmp_path, '{"input": "Hello"}\n')
    made = json.loads(run(capsys, "run", rows, "--detach", "--dedupe", "--max-cost-usd", "2", "--window", "2h"))
    batch = Batches(door.world.database).get(made["id"], "acme")
    assert door.bucket.objects[batch.source["key"]] == b'{"input": "Hello"}\n'
    assert (batch.asked["dedupe"], batch.asked["max_cost"]) == (True, 2_000_000_000)
    assert batch.ends_at - batch.created_at == 7_200_000
    assert door.batches.workflows.started == [(batch.id, 0)]


def test_a_csv_is_known_by_its_name_and_needs_a_prompt(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    rows = a_file(tmp_path, "text\tx\nHello\ty\n", "rows.csv")
    made = json.loads(
        run(capsys, "run", rows, "--detach", "--prompt", "shorten", "--separator", "tab", "--model", "small")
    )
    asked = Batches(door.world.database).get(made["id"], "acme").asked
    assert asked["input"] == {"form": "csv", "separator": "\t"}
    assert (asked["prompt"], json.loads(asked["defaults"])) == ({"id": "shorten"}, {"model": "small"})
    assert main(["batch", "run", rows, "--detach"]) == 3
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "broker: prompt: it is needed with csv, whose rows are its variables"


def test_what_else_a_batch_may_say_comes_from_a_file(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    body = a_file(tmp_path, json.dumps({"metadata": {"order": "17"}, "defaults": {"ttl_seconds": 90}}), "body.json")
    rows = a_file(tmp_path, "{}\n")
    made = json.loads(run(capsys, "run", rows, "--detach", "--body", body, "--model", "small"))
    asked = Batches(door.world.database).get(made["id"], "acme").asked
    assert asked["metadata"] == {"order": "17"}
    assert json.loads(asked["defaults"]) == {"ttl_seconds": 90, "model": "small"}
    assert main(["batch", "run", rows, "--body", a_file(tmp_path, "[]", "list.json")]) == 3


def test_an_empty_or_missing_file_is_said_so(server: RestServer, tmp_path: Path, capsys: Printed) -> None:
    for path, why in ((a_file(tmp_path, ""), "the file is empty"), (str(tmp_path / "none.jsonl"), "no such file")):
        assert main(["batch", "run", path]) == 3
        told = capsys.readouterr().err
        assert told.startswith(f"broker: {path}: ") and why in told
    assert server.asked == []


def test_a_tsv_is_a_csv_with_tabulators(server: RestServer, door: Door, tmp_path: Path, capsys: Printed) -> None:
    rows = a_file(tmp_path, "text\nHello\n", "rows.tsv")
    for arguments, separator in (((), "\t"), (("--separator", ";"), ";")):
        made = json.loads(run(capsys, "run", rows, "--detach", "--prompt", "shorten", *arguments))
        asked = Batches(door.world.database).get(made["id"], "acme").asked
        assert asked["input"] == {"form": "csv", "separator": separator}
    made = json.loads(run(capsys, "run", rows, "--detach", "--format", "jsonl"))
    assert Batches(door.world.database).get(made["id"], "acme").asked["input"] == {"form": "jsonl"}


def test_the_same_file_under_the_same_key_is_the_same_batch(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    def ran(data: str, key: str, status: int = 0) -> Any:
        told = run(capsys, "run", a_file(tmp_path, data), "--idempotency-key", key, "--detach", status=status)
        return json.loads(told) if told else None

    first = ran('{"input": "Hello"}\n', "monday")
    assert ran('{"input": "Hello"}\n', "monday")["id"] == first["id"]
    assert ran('{"input": "Hello"}\n', "tuesday")["id"] != first["id"]
    assert ran('{"input": "Jello"}\n', "monday", status=3) is None
    assert main(["files", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1, "what was refused is not kept, and what is used stays"


def test_what_was_uploaded_for_nothing_is_deleted(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    rows = a_file(tmp_path, '{"input": "Hello"}\n')
    run(capsys, "estimate", rows)
    assert main(["batch", "run", rows, "--detach", "--window", "1s"]) == 3
    assert capsys.readouterr().err.startswith("broker: completion_window: ")
    assert main(["files", "list"]) == 0
    assert capsys.readouterr().out.strip() == ""
    run(capsys, "run", rows, "--detach")
    assert main(["files", "list"]) == 0
    kept = capsys.readouterr().out.split()[0]
    run(capsys, "estimate", kept)
    assert main(["files", "get", kept]) == 0, "the file was there before"


def test_an_estimate_runs_nothing(server: RestServer, door: Door, tmp_path: Path, capsys: Printed) -> None:
    told = json.loads(run(capsys, "estimate", a_file(tmp_path, '{"input": "Hello"}\n{broken\n')))
    assert (told["rows"], told["sample"]["rejected"]) == (2, 1)
    assert door.batches.workflows.started == []


def test_watching_ends_with_the_batch_and_tells_by_its_status_whether_all_went_well(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    well, badly, capped = (submitted(door, capsys, tmp_path) for _ in range(3))
    end(door, well, {"succeeded": 3})
    assert "3 rows, 3 succeeded, 0 did not" in run(capsys, "watch", well)
    end(door, badly, {"succeeded": 2, "failed": 1})
    told = run(capsys, "watch", badly, status=1)
    assert "1 did not" in told and f"broker batch results --errors {badly}" in told
    assert json.loads(run(capsys, "watch", badly, "--json", status=1))["request_counts"]["failed"] == 1
    assert json.loads(run(capsys, "watch", well, "--json"))["status"] == "completed"
    end(door, capped, {"succeeded": 1, "passed_over": 1}, stop="capped")
    assert "capped" in run(capsys, "watch", capped, status=1)


def test_results_are_written_or_printed_without_the_key(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    batch_id = submitted(door, capsys, tmp_path)
    end(door, batch_id, {"succeeded": 1, "failed": 1})
    door.bucket.objects["results"] = b'{"line": 1, "text": "\x1b[31mred"}\n'
    door.batches.links[batch_id, "output"] = f"{server.url}/bucket/results"
    assert run(capsys, "results", batch_id) == '{"line": 1, "text": "\\u{1b}[31mred"}\n', "a terminal only shows it"
    out = tmp_path / "out.jsonl"
    assert "32 bytes" in run(capsys, "results", batch_id, "--out", str(out))
    assert out.read_bytes() == door.bucket.objects["results"]
    asked = [headers for method, path, headers in server.asked if path.startswith("/bucket/results")]
    assert asked
    assert all("authorization" not in headers for headers in asked)
    assert main(["batch", "results", batch_id, "--errors"]) == 5
    assert "no errors" in capsys.readouterr().err


def test_large_results_are_printed_as_they_come(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submitted(door, capsys, tmp_path)
    end(door, batch_id, {"succeeded": 1})
    lines = "".join(json.dumps({"line": n, "text": "Über €" * 50}, ensure_ascii=False) + "\n" for n in range(3_000))
    door.bucket.objects["results"] = lines.encode()
    door.batches.links[batch_id, "output"] = f"{server.url}/bucket/results"
    pieces: list[str] = []
    monkeypatch.setattr("sys.stdout", type("Out", (io.StringIO,), {"write": lambda self, text: pieces.append(text)})())
    assert main(["batch", "results", batch_id]) == 0
    assert "".join(pieces) == lines
    assert max(map(len, pieces)) <= PIECE_BYTES < len(lines) / 10, "memory holds a piece and not the file"


def test_batches_are_listed_stopped_and_taken_again(
    server: RestServer, door: Door, tmp_path: Path, capsys: Printed
) -> None:
    first, second = submitted(door, capsys, tmp_path), submitted(door, capsys, tmp_path)
    assert "paused" in run(capsys, "pause", first)
    assert "paused" not in run(capsys, "resume", first)
    assert "cancelling" in run(capsys, "cancel", first)
    listed = run(capsys, "list").splitlines()
    assert [each.split()[0] for each in listed] == [second, first]
    assert len(run(capsys, "list", "--limit", "1").splitlines()) == 1
    end(door, second, {"succeeded": 1, "failed": 1})
    again = json.loads(run(capsys, "retry", second, "--detach"))
    assert again["retry_of"] == second
    assert json.loads(run(capsys, "get", again["id"]))["id"] == again["id"]


def test_a_batch_of_another_tenant_is_none(server: RestServer, door: Door, capsys: Printed, tmp_path: Path) -> None:
    reply = door("POST", "/batches", '{"requests": [{"input": "Hi"}]}', tenant="other")
    for way in ("get", "watch", "cancel", "pause", "resume", "retry", "results"):
        assert main(["batch", way, reply.body["id"]]) == 5, way
        assert "no such batch" in capsys.readouterr().err
    assert reply.body["id"] not in run(capsys, "list")


def seen(ended: int, total: int = 200, status: str = "in_progress", **changes: Any) -> dict[str, Any]:
    """A batch as the API shows it, as far as its progress goes."""
    counts = {"succeeded": ended, "failed": 0, "blocked": 0, "canceled": 0, "expired": 0}
    known: dict[str, Any] = {
        "status": status,
        "paused": False,
        "request_counts": {"total": total, "completed": ended, "failed": 0},
        "counts": counts | {"rejected": 0, "passed_over": 0},
        "duplicates": 0,
        "usage": {"cost_usd": 0.0012},
        "eta_seconds": 3_700 if ended else None,
    }
    return known | changes


def shown(batches: list[dict[str, Any]], out: io.StringIO) -> list[float]:
    """Follow a batch that is seen so; gives the pauses between."""
    looks, pauses = iter(batches), []
    look: Callable[[], dict[str, Any]] = lambda: next(looks)  # noqa: E731
    last = follow(look, lambda now: now["status"] == "completed", out, pauses.append)
    assert last == batches[-1]
    return pauses


class Terminal(io.StringIO):
    """One that draws."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_drawn_over() -> None:
    out = Terminal()
    pauses = shown([seen(0), seen(50), seen(200, status="completed")], out)
    drawn = out.getvalue().split(DRAW_OVER)[1:]
    assert len(drawn) == 3
    assert "50/200  25%" in drawn[1] and "1 h 1 min left" in drawn[1] and "50 succeeded" in drawn[1]
    assert out.getvalue().count("\n") == 1, "the bar stays on its line until the end"
    assert len(pauses) == 2


def test_without_a_terminal_there_is_a_line_for_each_step_and_no_more() -> None:
    out = io.StringIO()
    shown([*(seen(n) for n in range(0, 200)), seen(200, status="completed")], out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 21
    assert "\x1b" not in out.getvalue()


def test_a_batch_of_which_nothing_is_known_yet_has_a_line_too() -> None:
    assert line(seen(0, 0, "validating")).startswith("·" * 24 + "  validating")
    assert "paused" in line(seen(7, paused=True))
    assert "3 duplicates" in line(seen(7, duplicates=3))
    assert "1 duplicate  " in line(seen(7, duplicates=1))
