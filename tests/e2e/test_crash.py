"""The crash test: functions die and fail before and after every write and send, and no job is lost or told twice."""

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from broker.clock import now_ms
from broker.jobs.head import Head, Status
from broker.tenants.ledger import bucket_of, period_of
from broker.tenants.slices import read_all

from local.listening import Listener
from local.receiver import Receiver
from tests.e2e.crashing import (
    BY_EVENT,
    BY_REST,
    FILES,
    LINES,
    TENANT,
    Ahead,
    Events,
    double_messages,
    drive,
    faults,
    let_claims_run_out,
    put_files,
    submit,
    tenant_heads,
)
from tests.e2e.files import Files
from tests.e2e.stack import Stack, until

ALLOWED = 1_000_000_000_000
"""The tenant's budget in nano-dollars, as registered."""

TAKEN_BACK_EVERY = 30
"""Jobs that are accepted between two sweeps of what is under way."""

TERMINAL = {"JobSucceeded", "JobFailed", "JobBlocked", "JobCanceled", "JobExpired"}


@pytest.fixture(scope="module")
def crashed(stack: Stack) -> Iterator[dict[str, Any]]:
    """Two hundred jobs and more, run while everything crashes; what came of them."""
    api = stack.as_tenant(TENANT)
    models = urllib3.PoolManager()
    models.request("DELETE", f"{stack.models_url}/_calls")
    ahead = Ahead(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard, Receiver() as receiver:
        with faults(stack):
            files = Files(stack)
            keys = put_files(stack, files)
            with ThreadPoolExecutor(6) as pool:
                accepted = []
                for number, each in enumerate(pool.map(lambda n: submit(api, n, receiver.url), range(BY_REST)), 1):
                    accepted += [each] if each else []
                    if number % TAKEN_BACK_EVERY == 0:
                        ahead()  # jobs that are under way are taken back, whether their runs live or not
            events = Events(stack)
            double_messages(stack, tenant_heads(stack))
            drive(stack, ahead, 60, events)
        heads = drive(stack, ahead, 60, events)
        until(lambda: _completed(heard).keys() >= set(keys) or ahead(), 150)
        heads = drive(stack, ahead, 60, events)
        terminal = _terminal_events(heard, {head.id for head in heads})
        hooked = [head for head in heads if head.webhook]
        until(lambda: _all_told(stack, receiver, hooked) or ahead(), 200)
        calls = json.loads(models.request("GET", f"{stack.models_url}/_calls").data)
        yield {
            "accepted": accepted,
            "events": events.ids,
            "unheard": events.unheard(heads),
            "heads": heads,
            "terminal": terminal,
            "files": {key: files.rows(key) for key in keys},
            "completed": _completed(heard),
            "hooked": hooked,
            "delivered": _delivered(receiver),
            "calls": calls["calls"] if isinstance(calls, dict) else calls,
        }


def _terminal_events(heard: Listener, ids: set[str]) -> dict[str, set[tuple[str, str]]]:
    """The terminal events that were heard, by job: detail-type and event id."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def all_told() -> bool:
        for event in heard.drain():
            job_id = event["detail"]["data"].get("job_id")
            if event["detail-type"] in TERMINAL and job_id in ids:
                found[job_id].add((event["detail-type"], event["detail"]["metadata"]["event_id"]))
        return found.keys() >= ids

    until(all_told, 60)
    return found


def _completed(heard: Listener) -> dict[str, set[str]]:
    """The ids of the events that told of completed files, by key."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in heard.drain():
        if event["detail-type"] == "BatchCompleted":
            found[event["detail"]["data"]["key"]].add(event["detail"]["metadata"]["event_id"])
    return found


def _all_told(stack: Stack, receiver: Receiver, hooked: list[Head]) -> bool:
    """Whether each webhook arrived; the claims of attempts that died run out."""
    delivered = _delivered(receiver)
    let_claims_run_out(stack, [head for head in hooked if head.id not in delivered])
    return len(delivered) >= len(hooked)


def _delivered(receiver: Receiver) -> dict[str, set[str]]:
    """The ids of the webhooks that arrived, by job."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in receiver.received:
        found[json.loads(each.body)["data"]["job_id"]].add(each.headers["webhook-id"])
    return found


def test_every_job_ends_in_one_terminal_state(crashed: dict[str, Any]) -> None:
    heads: list[Head] = crashed["heads"]
    assert len(heads) >= 200
    assert [head.id for head in heads if not head.status.terminal] == []
    succeeded = sum(head.status is Status.SUCCEEDED for head in heads)
    assert succeeded > len(heads) / 2, [head.error for head in heads if head.error]
    assert any(head.run > 1 for head in heads), "no job was ever taken back: the faults did not bite"


def test_no_accepted_job_is_lost(crashed: dict[str, Any]) -> None:
    ids = {head.id for head in crashed["heads"]}
    assert len(crashed["accepted"]) > BY_REST / 2
    assert set(crashed["accepted"]) <= ids


def test_an_event_is_one_job_however_often_it_comes(crashed: dict[str, Any]) -> None:
    of_events = [head.correlation_id for head in crashed["heads"] if head.door == "event"]
    assert len(set(of_events)) == len(of_events)
    assert set(of_events) <= crashed["events"]
    assert len(of_events) > BY_EVENT / 2
    assert crashed["unheard"] == set()


def test_each_line_of_a_file_is_one_job_and_each_file_one_result(crashed: dict[str, Any]) -> None:
    of_files = [(head.batch, head.line) for head in crashed["heads"] if head.batch]
    assert len(set(of_files)) == len(of_files) == FILES * LINES
    ended = {head.id: head.status.value for head in crashed["heads"]}
    for key, rows in crashed["files"].items():
        assert [row["line"] for row in rows] == list(range(1, LINES + 1))
        assert all(ended[row["job"]["id"]] == row["job"]["status"] for row in rows)
        assert len(crashed["completed"][key]) == 1


def test_each_job_has_one_terminal_event(crashed: dict[str, Any]) -> None:
    terminal: dict[str, set[tuple[str, str]]] = crashed["terminal"]
    for head in crashed["heads"]:
        assert {event_id for _, event_id in terminal[head.id]} == {head.event_id}, head.id


def test_each_webhook_arrives_with_one_id(crashed: dict[str, Any]) -> None:
    assert len(crashed["hooked"]) > 5
    for head in crashed["hooked"]:
        assert crashed["delivered"][head.id] == {head.event_id}


def test_the_ledger_is_settled(stack: Stack, crashed: dict[str, Any]) -> None:
    heads: list[Head] = crashed["heads"]
    spent = sum(head.spent for head in heads)
    found = read_all(stack.database, bucket_of(TENANT, period_of(now_ms())))
    assert sum(item.get("nusd", 0) for item in found.rows) == spent
    assert sum(item.get("calls", 0) for item in found.rows) == sum(len(head.calls) for head in heads)
    assert found.available == ALLOWED - spent


def test_no_provider_call_is_unbilled(crashed: dict[str, Any]) -> None:
    made = [call for call in crashed["calls"] if str(call["model"]).startswith("crashing")]
    recorded = sum(len(head.calls) for head in crashed["heads"])
    assert len(made) >= len([head for head in crashed["heads"] if head.status is Status.SUCCEEDED])
    assert len(made) <= recorded
