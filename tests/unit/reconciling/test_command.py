"""`broker usage calls` and `broker reconcile`: from jobs to calls, and from calls and a bill to findings."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from broker.batches.batch import KEEP_S
from broker.cli import main
from broker.cli.exits import Exit
from broker.cli.reconciling.comparing import compare_calls
from broker.cli.reconciling.recorded import Named, of_file, of_tenants
from broker.cli.reconciling.records import Called, Charged
from broker.clock import new_job_id, usd
from broker.jobs.calls import settled

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import NOW, World, a_head
from tests.unit.reconciling.invoices import calls, charge

Printed = pytest.CaptureFixture[str]
MADE = settled({}, {"model": "small", "version": 3, "reserved": 90})
DONE = {"outcome": "succeeded", "paid": "yes", "cost": 50, "latency_ms": 400, "ended_at": NOW + 900}
DONE |= {"input_tokens": 10, "output_tokens": 20, "request_id": "req_1"}
SPAN = NOW - 1_000, NOW + 3_600_000


def kept(world: World, tenant: str = "acme", at: int = NOW) -> str:
    job_id = new_job_id(at)
    made = {"1.1": MADE, "1.2": settled(MADE, DONE | {"ended_at": at + 900})}
    world.put(a_head(id=job_id, tenant=tenant, created_at=at, deadline_at=at + 60_000, calls=made))
    return job_id


def recorded(world: World, *tenants: str) -> list[Called]:
    named = {("small", 3): Named("openai", "gpt-small")}
    return list(of_tenants(world.database, tenants, lambda *which: named[which], *SPAN))


def test_calls_are_those_of_jobs_of_the_time_and_tenant() -> None:
    world = World()
    kept(world, "globex")
    kept(world, at=NOW - KEEP_S * 1_000 - 9_000)
    job_id = kept(world)
    lost, done = recorded(world, "acme")
    assert done == Called(
        *("acme", job_id, "1.2", "openai", "small", "gpt-small", "yes", 50, NOW + 500, NOW + 900, "req_1", 10, 20)
    )
    assert (lost.paid, lost.nusd, lost.request_id) == ("unknown", 90, None)
    assert lost.started_at == NOW and lost.ended_at == NOW + 60_000, "it may have been made at any time of the job's"


def test_a_call_is_written_and_read_without_loss(tmp_path: Path) -> None:
    world = World()
    kept(world)
    found = recorded(world, "acme")
    (tmp_path / "calls").write_text("\n".join(json.dumps(each.to_line()) for each in found))
    assert of_file(tmp_path / "calls") == found


def test_reading_costs_a_page_and_a_batch_for_a_hundred_jobs() -> None:
    database = CountingDatabase()
    world = World(database=database)
    for _ in range(150):
        kept(world)
    before = database.reads
    assert len(recorded(world, "acme")) == 300
    assert database.reads - before == 2


def test_what_the_connection_lost_is_found_by_the_job_that_the_provider_was_told_of() -> None:
    lost = Called("acme", "job_1", "1.1", "bedrock", "nova", "nova-lite", "unknown", 90, NOW, NOW + 60_000)
    found = compare_calls([lost], [Charged(1, "nova-lite", "id-1", "job_1", NOW + 5, None, 3, 4)]).findings
    charged = "nobody knew whether it was paid for: it was charged"
    assert [(each.kind, each.why) for each in found] == [("unknown", charged)]
    other = compare_calls([lost], [Charged(1, "nova-lite", "id-1", "job_2", NOW + 5, None, 3, 4)]).findings
    assert sorted(each.kind for each in other) == ["orphaned", "unknown"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, list[Called]]:
    """A bill that is right, and the calls that it is of."""
    ours = calls(20, random.Random(1))
    rows = [charge(each) for each in ours]
    lines = [
        {
            "request_id": each.request_id,
            "model": each.name,
            "at": (each.at or 0) / 1000,
            "cost_usd": usd(each.nusd or 0),
        }
        for each in rows
    ]
    (tmp_path / "bill").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "calls").write_text("\n".join(json.dumps(each.to_line()) for each in ours))
    return tmp_path / "bill", tmp_path / "calls", ours


def test_a_bill_that_is_right_ends_well(files: tuple[Path, Path, list[Called]], capsys: Printed) -> None:
    bill, known, _ = files
    assert main(["reconcile", str(bill), "--calls", str(known)]) == 0
    assert "20  matched" in capsys.readouterr().out


def test_what_is_found_is_told_and_the_status_says_so(files: tuple[Path, Path, list[Called]], capsys: Printed) -> None:
    bill, known, ours = files
    bill.write_text("\n".join(bill.read_text().splitlines()[1:]))
    span = ["--from", "2026-11-01", "--to", "2026-12-01"]
    assert main(["reconcile", str(bill), "--calls", str(known), *span]) == 1
    assert f"missing  {ours[0].tenant}  {ours[0].job}  1.1" in capsys.readouterr().out
    assert main(["reconcile", str(bill), "--calls", str(known), *span, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["matched"], shown["missing"], shown["orphaned"]) == (19, 1, 0)
    assert shown["findings"][0]["request_id"] == ours[0].request_id
    assert main(["reconcile", str(bill), "--calls", str(known), *span, "--provider", "cohere"]) == 1
    assert "19  orphaned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["--from", "2026-12-01", "--to", "2026-11-01"], "--from is before --to"),
        (["--from", "monday"], "no time"),
        (["--model", "small"], "NAME=MODEL"),
        (["--tolerance", "little"], "no amount"),
    ],
)
def test_what_is_wrong_is_named(
    files: tuple[Path, Path, list[Called]], capsys: Printed, said: list[str], told: str
) -> None:
    bill, known, _ = files
    assert main(["reconcile", str(bill), "--calls", str(known), *said]) == Exit.INVALID
    assert told in capsys.readouterr().err


def test_calls_that_are_on_record_twice_are_told() -> None:
    (call,) = calls(1, random.Random(2))
    found = compare_calls([call, replace(call, call="2.1")], [charge(call, 1)]).findings
    assert [(each.kind, each.why) for each in found] == [("doubled", "on record twice")]
