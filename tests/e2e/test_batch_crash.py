"""Batches of two tenants while functions crash and workflows die: each row is in one file, once, in order, and paid."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from broker.jobs.head import Head
from standardwebhooks import Webhook

from local.listening import Listener
from local.receiver import Received, Receiver
from tests.e2e.batch_crashing import MIX, ROWS, Storm, crashing, row, submit_patiently, written
from tests.e2e.batches import BatchesOf
from tests.e2e.crashing import FUNCTIONS
from tests.e2e.stack import STACK, Stack, until

NAMES = ("crash-a", "crash-b")


@dataclass(frozen=True)
class Outcome:
    """What came of a batch."""

    name: str
    id: str
    shown: dict[str, Any]
    output: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    heads: list[Head]
    spent: int
    """By the ledger."""
    told: list[tuple[str, str]]
    """Events of its end: detail-type and event id."""
    webhooks: list[Received]
    """What arrived at the address of its tenant."""

    @property
    def rows(self) -> list[int]:
        """The lines of its rows, by their place."""
        return [n for n, line in enumerate(file_of(self.name).split(b"\n"), start=1) if line.strip()]


def file_of(name: str) -> bytes:
    """The file of a tenant's rows."""
    return written([row(number, name) for number in range(ROWS)])


@pytest.fixture(scope="module")
def outcomes(stack: Stack) -> Iterator[list[Outcome]]:
    """Two batches, run while everything crashes."""
    tenants = {name: BatchesOf(stack, name) for name in NAMES}
    secret = {"monthly_budget_usd": 1000, "webhook_secret": "tenants/demo/webhook"}
    stack.register({"tenants": [{"id": name, **secret} for name in NAMES]})
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard, Receiver() as receiver:
        hooks = {name: {"url": f"{receiver.url}/{name}"} for name in NAMES}
        with crashing(stack):
            ids = {
                name: submit_patiently(mine, file_of(name), dedupe=True, webhook=hooks[name])
                for name, mine in tenants.items()
            }
            storm = Storm(stack, {ids[name]: mine for name, mine in tenants.items()})
            storm.start_twice()
            storm.weather(8 + ROWS / 20, kills=False)
            storm.double()
            storm.weather(8 + ROWS / 10, kills=True)
            storm.double()
        assert storm.weather(120 + ROWS / 2, kills=False), [tenants[n].record(i) for n, i in ids.items()]
        storm.double()
        until(lambda: _all_delivered(tenants, ids) or storm.hurry_webhooks(), 120)
        events = heard.drain()
    yield [
        Outcome(
            name,
            ids[name],
            mine.shown(ids[name]),
            mine.lines(ids[name]),
            mine.lines(ids[name], "errors"),
            storm.heads(ids[name]),
            mine.spent(),
            [
                (each["detail-type"], each["detail"]["metadata"]["event_id"])
                for each in events
                if each["detail"]["data"].get("batch_id") == ids[name] and each["detail-type"] in ENDS
            ],
            [each for each in receiver.received if each.path.endswith(f"/{name}")],
        )
        for name, mine in tenants.items()
    ]


ENDS = ("BatchCompleted", "BatchFailed")


def _all_delivered(tenants: dict[str, BatchesOf], ids: dict[str, str]) -> bool:
    shown = (mine.shown(ids[name])["delivery"] for name, mine in tenants.items())
    return all([note["state"] for note in notes] == ["delivered"] for notes in shown)


def test_each_row_is_in_one_file_once_and_in_order(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        assert each.shown["status"] == "completed"
        lines = [line["line"] for line in each.output + each.errors]
        assert sorted(lines) == each.rows
        for found in (each.output, each.errors):
            assert [line["line"] for line in found] == sorted(line["line"] for line in found)
        for line in each.output + each.errors:
            assert (line["custom_id"] or each.name).startswith(each.name), "a row of the other tenant"


def test_counts_add_up_to_what_stands_in_the_files(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        succeeded, failed = len(each.output), len(each.errors)
        assert each.shown["request_counts"] == {"total": ROWS, "completed": succeeded, "failed": failed}
        found = Counter(line["job"]["status"] if "job" in line else "rejected" for line in each.output + each.errors)
        assert {name: count for name, count in each.shown["counts"].items() if count} == found
        assert each.shown["duplicates"] == sum("duplicate_of" in line for line in each.output + each.errors) > 0


def test_odd_rows_end_as_they_are_and_good_ones_well(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        place_of = {line: place for place, line in enumerate(each.rows)}
        told = {
            place_of[line["line"]]: line["error"]["code"] if "error" in line else line["job"]["status"]
            for line in each.errors
        }
        meant = {4: "invalid_json", 9: "blocked", 14: "unknown_model", 19: "failed", 27: "duplicate_custom_id"}
        for place in range(ROWS):
            if place % MIX in meant:
                assert told.pop(place) in (meant[place % MIX], "line_failed", "failed"), place
        # What dies again and again is given up; that is rare.
        assert len(told) < ROWS / 10, told


def test_what_rows_cost_is_what_the_ledger_has(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        own = [line for line in each.output + each.errors if "job" in line and "duplicate_of" not in line]
        paid = sum(round(line["job"]["usage"]["cost_usd"] * 1e9) for line in own)
        assert paid == round(each.shown["usage"]["cost_usd"] * 1e9) == each.spent > 0
        assert each.spent == sum(head.spent for head in each.heads)


def test_each_row_is_one_job_and_doubles_share_the_first_ones(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        own = {
            line["line"]: line["job"]["id"]
            for line in each.output + each.errors
            if "job" in line and "duplicate_of" not in line
        }
        assert sorted(own.values()) == sorted(head.id for head in each.heads)
        rows = [head.row for head in each.heads]
        assert len(set(rows)) == len(rows)
        for line in each.output + each.errors:
            if "duplicate_of" in line and "job" in line:
                assert line["job"]["id"] == own[line["duplicate_of"]]


def test_the_end_is_told_by_one_id(outcomes: list[Outcome]) -> None:
    for each in outcomes:
        assert {kind for kind, _ in each.told} == {"BatchCompleted"}
        assert len({event_id for _, event_id in each.told}) == 1


def test_the_webhook_arrives_signed_by_one_id_and_tells_of_its_own_batch(outcomes: list[Outcome], stack: Stack) -> None:
    for each in outcomes:
        assert each.webhooks, "it never arrived"
        assert len({(hook.headers["webhook-id"], hook.body) for hook in each.webhooks}) == 1
        body = Webhook(stack.seeded.webhook_secret).verify(each.webhooks[0].body, each.webhooks[0].headers)
        assert (body["type"], body["data"]["id"]) == ("batch.completed", each.id)
        assert body["data"]["counts"]["succeeded"] == len(each.output)
        assert [note["state"] for note in each.shown["delivery"]] == ["delivered"]


def test_the_faults_bit(outcomes: list[Outcome], stack: Stack) -> None:
    heads = [head for each in outcomes for head in each.heads]
    since = min(head.created_at for head in heads)
    assert any(head.run > 1 for head in heads) or any(crashed(stack, name, since) for name in FUNCTIONS)


def crashed(stack: Stack, function: str, since: int) -> bool:
    """Whether a function told of an injected fault that it did not survive."""
    pages = stack.cloud.client("logs").get_paginator("filter_log_events")
    lines = pages.paginate(logGroupName=f"/aws/lambda/{STACK}/{function}", startTime=since)
    return any("FaultInjected" in line["message"] for page in lines for line in page["events"])
