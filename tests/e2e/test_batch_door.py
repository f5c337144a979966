"""The door for batches on the embedded cloud: ways in, stops, retry, cap, and a hostile tenant beside."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import urllib3
from broker.cli import main

from local.client import Client
from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat, until


@pytest.fixture(scope="module")
def mine(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "batch-door")


@pytest.fixture(scope="module")
def hostile(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "batch-thief")


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    return [chat(f"Summarize: door {n}.", custom_id=f"r{n}", **{"model": "answers", **more}) for n in range(count)]


def upload(api: Client, data: bytes, name: str) -> str:
    """Upload a file; gives its id."""
    made = api.call("POST", "/files", {"filename": name, "bytes": len(data), "purpose": "batch"}).body
    where = made["upload"]
    reply = urllib3.request(where["method"], where["url"], body=data, headers=where["headers"])
    assert reply.status == 200, reply.data
    return str(made["id"])


def test_rows_of_a_body_run_and_nobody_else_sees_them(mine: BatchesOf, hostile: BatchesOf) -> None:
    batch_id = mine.submit(requests=rows(5), metadata={"order": "17"})
    ended = mine.ended(batch_id)
    assert (ended["status"], ended["request_counts"]) == ("completed", {"total": 5, "completed": 5, "failed": 0})
    assert ended["metadata"] == {"order": "17"}
    assert [line["custom_id"] for line in mine.lines(batch_id)] == [f"r{n}" for n in range(5)]
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/results"),
        *(("POST", f"/{what}") for what in ("cancel", "pause", "resume", "retry")),
    ):
        answer = hostile.api.call(method, f"/batches/{batch_id}{path}")
        assert (answer.status, answer.body["error"]["code"]) == (404, "not_found"), (method, path, answer.body)
    assert batch_id not in json.dumps(hostile.api.call("GET", "/batches?limit=100").body)
    assert batch_id in json.dumps(mine.api.call("GET", "/batches?limit=100").body)


def test_a_file_is_no_ones_but_its_tenants(mine: BatchesOf, hostile: BatchesOf) -> None:
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows(3))
    file_id, address = upload(mine.api, data, "rows.jsonl"), mine.put(data)
    for body, code in (({"input_file_id": file_id}, "no_such_file"), ({"s3": address}, "file_not_yours")):
        for route in ("/batches", "/batches/estimate"):
            answer = hostile.api.call("POST", route, body)
            assert answer.body["error"]["code"] == code, answer.body
    batch_id = mine.submit(input_file_id=file_id)
    assert mine.ended(batch_id)["request_counts"]["completed"] == 3


def test_the_same_key_gives_the_same_batch(mine: BatchesOf) -> None:
    key = {"idempotency-key": uuid.uuid4().hex}
    first = mine.api.call("POST", "/batches", {"requests": rows(1)}, key)
    second = mine.api.call("POST", "/batches", {"requests": rows(1)}, key)
    assert second.body["id"] == first.body["id"]
    assert second.headers["idempotent-replayed"] == "true"
    assert mine.api.call("POST", "/batches", {"requests": rows(2)}, key).status == 422
    mine.ended(first.body["id"])


def test_rows_that_did_not_succeed_are_run_again_alone(mine: BatchesOf, stack: Stack) -> None:
    given = [*rows(3), chat("Fail.", model="fails", custom_id="bad"), {"custom_id": "odd", "task": "paint"}]
    first = mine.submit(requests=given)
    assert mine.ended(first)["request_counts"] == {"total": 5, "completed": 3, "failed": 2}
    again = mine.api.call("POST", f"/batches/{first}/retry")
    assert (again.status, again.body["retry_of"]) == (202, first)
    ended = mine.ended(again.body["id"])
    assert ended["request_counts"] == {"total": 2, "completed": 0, "failed": 2}
    errors = mine.lines(again.body["id"], "errors")
    assert [(line["line"], line["custom_id"]) for line in errors] == [(4, "bad"), (5, "odd")]


def test_variables_fill_a_prompt(mine: BatchesOf) -> None:
    prompt, given = {"id": "of-ponds"}, [{"what": f"a lamp {n}"} for n in range(3)]
    batch_id = mine.submit(prompt=prompt, variables=given, defaults={"model": "answers"})
    ended = mine.ended(batch_id)
    assert (ended["request_counts"]["completed"], ended["prompt"]) == (3, prompt)
    assert {line["job"]["prompt"]["id"] for line in mine.lines(batch_id)} == {"of-ponds"}


def test_a_csv_fills_a_prompt_by_its_header(mine: BatchesOf) -> None:
    data = 'what;note\n"a lamp; ""lit""\nat night";x\nein Fluß;y\n'.encode("utf-16")
    batch_id = mine.submit(
        s3=mine.put(data, "rows.csv"),
        prompt={"id": "of-notes"},
        format={"type": "csv", "separator": ";"},
        defaults={"model": "echoes"},
    )
    ended = mine.ended(batch_id)
    assert ended["request_counts"] == {"total": 2, "completed": 2, "failed": 0}, mine.lines(batch_id, "errors")
    texts = [line["job"]["output"]["text"] for line in mine.lines(batch_id)]
    assert 'a lamp; "lit"\nat night' in texts[0] and "ein Fluß" in texts[1]


def test_a_paused_batch_waits_and_a_canceled_one_keeps_what_is_done(mine: BatchesOf, stack: Stack) -> None:
    with stack.nothing_dispatched():
        batch_id = mine.submit(requests=rows(250))
        until(lambda: mine.shown(batch_id)["counts"]["open"] > 0, 60)
        assert mine.api.call("POST", f"/batches/{batch_id}/pause").body["paused"]
        assert not mine.api.call("POST", f"/batches/{batch_id}/resume").body["paused"]
        canceled = mine.api.call("POST", f"/batches/{batch_id}/cancel")
        assert (canceled.status, canceled.body["status"]) == (200, "cancelling"), canceled.body
        ended = mine.ended(batch_id)
    assert (ended["status"], ended["request_counts"]["total"]) == ("cancelled", 250)
    assert ended["counts"]["canceled"] + ended["counts"]["passed_over"] == 250
    assert len(mine.lines(batch_id, "errors")) == 250
    assert mine.api.call("POST", f"/batches/{batch_id}/resume").status == 409


def test_a_batch_stops_at_its_cap_and_keeps_what_it_has(mine: BatchesOf) -> None:
    one = mine.api.call("POST", "/batches/estimate", {"requests": rows(1)}).body["worst_cost_usd"]
    assert one > 0
    before = mine.spent()
    batch_id = mine.submit(requests=rows(20), max_cost_usd=one * 3.5)
    ended = mine.ended(batch_id, 240)
    assert ended["status"] == "completed"
    assert mine.spent() - before <= one * 3.5 * 1e9
    assert ended["usage"]["cost_usd"] <= one * 3.5
    assert ended["request_counts"]["total"] == 20


def test_an_estimate_is_near_what_a_batch_costs(mine: BatchesOf) -> None:
    body = {"requests": rows(10)}
    told = mine.api.call("POST", "/batches/estimate", body)
    assert told.status == 200, told.body
    assert (told.body["rows"], told.body["rows_exact"], told.body["sample"]["rejected"]) == (10, True, 0)
    assert told.body["models"] == [{"model": "answers", "rows": 10}]
    cost = mine.ended(mine.submit(**body))["usage"]["cost_usd"]
    assert cost <= told.body["worst_cost_usd"]


def test_an_erased_batch_has_nothing_left_to_read(mine: BatchesOf) -> None:
    batch_id = mine.submit(requests=rows(2), metadata={"name": "Ann"})
    mine.ended(batch_id)
    job_id = mine.lines(batch_id)[0]["job"]["id"]
    assert mine.api.call("DELETE", f"/batches/{batch_id}").status == 204
    shown = mine.shown(batch_id)
    assert (shown["erased"], shown["metadata"], shown["output_file_id"]) == (True, {}, None)
    assert mine.api.call("GET", f"/batches/{batch_id}/results").status == 404
    until(lambda: mine.api.call("GET", f"/jobs/{job_id}").status == 410, 60)
    assert mine.api.call("GET", f"/jobs/{job_id}").status == 410


def test_the_command_runs_a_file_and_writes_its_results(
    mine: BatchesOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mine.api.key
    monkeypatch.setenv("BROKER_URL", mine.api.base_url)
    monkeypatch.setenv("BROKER_API_KEY", mine.api.key)
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(4)))
    assert main(["batch", "run", str(path), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "4 rows, 4 succeeded" in told.out
    assert "4/4 100%" in told.err
    assert len(out.read_text().splitlines()) == 4
