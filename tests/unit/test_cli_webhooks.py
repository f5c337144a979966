"""`broker webhooks`, `jobs explain`, `tail` and `usage`, and dry runs, against the REST door itself."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.cli import explaining, main
from broker.cli.rest_client import ASKING
from broker.cli.tailing import changes_of
from broker.jobs.head import Status

from tests.contract.stack import ROOT
from tests.fakes.world import JOB_ID, NOW, a_head
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def server(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    with RestServer(door) as running:
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        yield running


def run(capsys: Printed, *arguments: str) -> Any:
    """What a command says with `--json`; it must go well."""
    assert main([*arguments, "--json"]) == 0, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def test_an_endpoint_is_registered_listed_rotated_switched_and_deleted(server: RestServer, capsys: Printed) -> None:
    made = run(capsys, "webhooks", "create", "https://shop.example.com/hook", "--event", "job.succeeded")
    assert (made["events"], made["secret"][:6]) == (["job.succeeded"], "whsec_")
    assert [each["id"] for each in run(capsys, "webhooks", "list")] == [made["id"]]
    assert main(["webhooks", "list"]) == 0
    line = capsys.readouterr().out
    assert line == f"{made['id']}  https://shop.example.com/hook  job.succeeded  enabled\n"
    assert run(capsys, "webhooks", "rotate", made["id"])["secret"] != made["secret"]
    assert run(capsys, "webhooks", "disable", made["id"])["enabled"] is False
    assert run(capsys, "webhooks", "enable", made["id"])["enabled"] is True
    assert run(capsys, "webhooks", "deliveries", made["id"]) == []
    run(capsys, "webhooks", "delete", made["id"])
    assert main(["webhooks", "get", made["id"]]) == 5


def test_an_endpoint_of_another_tenant_is_none(server: RestServer, door: Door, capsys: Printed) -> None:
    body = json.dumps({"url": "https://other.example.com/hook", "events": ["job.*"]})
    other = door("POST", "/webhooks", body, tenant="other").body["id"]
    assert run(capsys, "webhooks", "list") == []
    for way in ("get", "rotate", "test", "enable", "disable", "deliveries", "delete"):
        assert main(["webhooks", way, other]) == 5, way
    assert other not in capsys.readouterr().out


CHANGES = [
    ["submit", "Hello"],
    ["jobs", "cancel", JOB_ID],
    ["jobs", "erase", JOB_ID],
    ["jobs", "redeliver", JOB_ID],
    ["batch", "run", str(ROOT / "examples" / "lamps.jsonl")],
    *(["batch", way, "batch_1"] for way in ("cancel", "pause", "resume", "retry")),
    ["files", "put", str(ROOT / "README.md")],
    ["files", "delete", "file-1"],
    ["webhooks", "create", "https://shop.example.com/hook"],
    *(["webhooks", way, "we_1"] for way in ("rotate", "test", "enable", "disable", "delete")),
    ["webhooks", "redeliver", "we_1", "dlv_1"],
]


@pytest.mark.parametrize("arguments", CHANGES, ids=lambda each: " ".join(each[:2]))
def test_a_dry_run_asks_for_no_change(server: RestServer, door: Door, capsys: Printed, arguments: list[str]) -> None:
    door.world.put(a_head())
    told = run(capsys, *arguments, "--dry-run")
    assert told.get("dry_run") is True or arguments[0] == "submit"
    assert all(method == "GET" or path in ASKING for method, path, _ in server.asked)


def test_the_way_of_a_job_is_explained(server: RestServer, door: Door, capsys: Printed) -> None:
    error = {"type": "unavailable", "code": "http_503", "message": "The provider could not answer.\x1b[2J"}
    ended = {"status": Status.FAILED, "run": 1, "started_at": NOW, "ended_at": NOW, "due_at": None, "error": error}
    door.world.put(replace(a_head(), **ended))  # type: ignore[arg-type]  # as they are called
    told = run(capsys, "jobs", "explain", JOB_ID)
    assert (told["job"]["id"], told["events"][0]["event"]) == (JOB_ID, "job.accepted")
    assert main(["jobs", "explain", JOB_ID]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{JOB_ID}  failed  chat")
    assert "\n  error\n    http_503: The provider could not answer." in shown and "\x1b" not in shown


def test_the_published_example_is_explained_whole() -> None:
    document = json.loads((ROOT / "schemas" / "openapi.json").read_text())

    def example(path: str) -> Any:
        return document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]

    found = dict(explaining.branches(example("/jobs/{id}"), example("/jobs/{id}/events")["data"]))
    assert [*found] == ["stages", "models", "calls", "guardrails", "money", "deliveries"]
    assert found["models"][0] == "taken  large: quality: quality 3, rank 100"
    assert "http_400" in found["calls"][0] and "0.000042 $ (yes)" in found["calls"][1]
    assert found["money"] == [
        "0.000042 $ for 9 tokens in and 4 out",
        "0.000010 $ of it may have been paid for no answer",
    ]


def test_jobs_are_told_once_and_again_when_their_status_changes() -> None:
    looks = iter([["a queued"], ["b queued", "a running"], ["b queued", "a running"], ["b failed", "a succeeded"]])
    times = iter(range(9))

    def look() -> list[dict[str, str]]:
        return [dict(zip(("id", "status"), each.split(), strict=True)) for each in next(looks)]

    seen = changes_of(look, 4, lambda seconds: None, lambda: next(times))
    told = [f"{each['id']} {each['status']}" for each in seen]
    assert told == ["a queued", "a running", "b queued", "a succeeded", "b failed"]


def test_a_tail_is_an_object_a_line(server: RestServer, capsys: Printed) -> None:
    first = run(capsys, "submit", "One")["id"]
    second = run(capsys, "submit", "Two")["id"]
    assert main(["jobs", "tail", "--seconds", "0", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [first, second]


def test_usage_is_listed_page_by_page(server: RestServer, capsys: Printed) -> None:
    assert run(capsys, "usage") == []
    assert run(capsys, "usage", "list", "--from", "2026-01-01", "--to", "2026-01-31") == []
