"""What doors and streams tell the audit trail: who, what and about what, and never a payload."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker.audit.notes import MOST, note, taken
from broker.audit.record import KINDS, LONGEST, Record, record
from broker.cloud.audit_bucket import MOST_MESSAGE, packed, unpacked
from broker.cloud.audit_changes import of_job, of_registry
from broker.errors import Forbidden
from broker.jobs.head import Status
from broker.rest import audited
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES
from broker.rest.http import Reply, Request
from broker.tenants.api_keys import key_item

from tests.fakes.world import NOW, a_head
from tests.unit.rest_door import Door

PAYLOAD = "The lamp needed nobody."


@pytest.fixture(autouse=True)
def _trail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AUDIT_QUEUE", "https://sqs/audit")
    taken()
    yield
    taken()


def request(method: str, resource: str, **more: Any) -> Request:
    facts: dict[str, Any] = {"path": {}, "query": {}, "headers": {}, "body": None, "tenant": "acme"} | more
    return Request(
        method,
        resource,
        principal="ann",
        scopes=frozenset("*"),
        request_id="r-1",
        base_url="https://b",
        key="k1",
        **facts,
    )


def test_nothing_is_kept_where_there_is_no_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_QUEUE", "")
    note("payload.read", "r-1", tenant="acme")
    assert taken() == []


def test_all_tables_name_routes_and_kinds_that_there_are() -> None:
    assert {*audited.READS, *audited.WISHES} <= ROUTES.keys()
    assert audited.OF_OPERATORS.keys() <= ADMIN_ROUTES.keys()
    assert {*audited.WISHES.values(), *audited.OF_OPERATORS.values()} <= KINDS.keys()


def test_every_route_that_erases_or_cancels_is_noted() -> None:
    ends = {route for route in ROUTES if route[0] == "DELETE" or route[1].endswith("/cancel")}
    not_of_payloads = {
        ("DELETE", "/webhooks/{id}"),
        ("DELETE", "/webhook_endpoints/{id}"),
        ("POST", "/uploads/{id}/cancel"),
    }
    assert ends - not_of_payloads <= audited.WISHES.keys()


@pytest.mark.parametrize(
    ("reply", "noted"),
    [
        (Reply(200, {"object": "job", "output": {"text": PAYLOAD}, "output_url": None}), True),
        (Reply(200, {"object": "job", "output": None, "output_url": "https://link"}), True),
        (Reply(200, {"object": "job", "output": None, "output_url": None}), False),
        (Reply(410, {"error": {}}), False),
        (Reply(404, {"error": {}}), False),
    ],
)
def test_a_look_is_a_read_where_it_gives_something(reply: Reply, noted: bool) -> None:
    audited.note_reply(request("GET", "/jobs/{id}", path={"id": "job_1"}), reply)
    found = taken()
    assert [each["kind"] for each in found] == ["payload.read"] * noted
    assert PAYLOAD not in json.dumps(found) and "link" not in json.dumps(found)
    if noted:
        facts = {"tenant": "acme", "by": "ann", "key": "k1", "subject": "job_1", "route": "GET /jobs/{id}"}
        assert facts.items() <= found[0].items()


@pytest.mark.parametrize("resource", ["/files/{id}/content", "/batches/{id}/results", "/messages/batches/{id}/results"])
def test_a_link_to_the_bucket_is_a_read(resource: str) -> None:
    link = Reply(307, None, {"location": "https://bucket/link"})
    audited.note_reply(request("GET", resource, path={"id": "file-1"}), link)
    assert [(each["kind"], each["subject"]) for each in taken()] == [("payload.read", "file-1")]


def test_the_statuses_that_give_something_are_all_that_doors_send_somewhere() -> None:
    rest = Path(audited.__file__).parent
    sent = {int(found) for file in rest.glob("*.py") for found in re.findall(r"\b(30[1-8])\b", file.read_text())}
    unchanged = 304  # who is told so has it already
    assert sent - {unchanged} == {each for each in audited.GIVING if each > 299}


@pytest.mark.parametrize(
    ("action", "dry", "noted"), [("cancel", False, 1), ("cancel", True, 0), ("retry", False, 0), ("retry", True, 0)]
)
def test_a_bulk_operation_is_a_wish_to_cancel_where_it_cancels(action: str, dry: bool, noted: int) -> None:
    shown = {"object": "bulk", "id": "b-1", "action": action, "dry_run": dry}
    audited.note_reply(request("POST", "/jobs/bulk"), Reply(202, shown))
    assert [each["kind"] for each in taken()] == ["cancel.asked"] * noted


def test_a_files_bytes_are_not_given_without_a_record_of_it() -> None:
    door = Door()
    form = "--x\r\nContent-Disposition: form-data; name=purpose\r\n\r\nuser_data\r\n--x\r\nContent-Disposition: "
    form += f'form-data; name="file"; filename="a.txt"\r\n\r\n{PAYLOAD}\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    kept = door.api(request("POST", "/files", headers=kind, body=form))
    assert not taken(), "who brings a file is given nothing"
    door.api(request("GET", "/files/{id}/content", path={"id": kept.body["id"]}))
    assert [(each["kind"], each["subject"]) for each in taken()] == [("payload.read", kept.body["id"])]


@pytest.mark.parametrize(("output", "kinds"), [([], ["cancel.asked"]), (["…"], ["payload.read", "cancel.asked"])])
def test_an_answer_that_is_told_to_who_comes_too_late_to_cancel_is_a_read(output: list[str], kinds: list[str]) -> None:
    told = Reply(200, {"object": "response", "output": output})
    audited.note_reply(request("POST", "/responses/{id}/cancel", path={"id": "resp_1"}), told)
    assert [each["kind"] for each in taken()] == kinds


def test_an_answer_in_the_same_call_is_a_read_of_its_job() -> None:
    audited.note_reply(request("POST", "/responses"), Reply(200, {"object": "response"}, job_id="job_1"))
    audited.note_reply(request("POST", "/jobs"), Reply(202, {"object": "job"}, job_id="job_2"))
    assert [each["subject"] for each in taken()] == ["job_1"]


def test_a_door_notes_who_is_refused_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    with pytest.raises(Forbidden):
        door.api(
            replace(request("POST", "/jobs", body=json.dumps({"input": PAYLOAD})), scopes=frozenset({"usage:read"}))
        )
    (denied,) = taken()
    assert (denied["kind"], denied["reason"], denied["route"]) == ("call.denied", "missing_scope", "POST /jobs")
    assert PAYLOAD not in json.dumps(denied)


def test_the_notes_of_one_call_are_bounded_and_the_rest_counted() -> None:
    for _ in range(MOST + 5):
        note("payload.read", "r-1")
    found = taken()
    assert (len(found), found[-1]["beyond"]) == (MOST, 5)
    assert taken() == []


@pytest.mark.parametrize("named", [PAYLOAD, "a\x1b]0;b\x07", "é", "x" * 129])
def test_what_stands_in_the_place_of_an_id_and_is_none_is_not_put_on_record(named: str) -> None:
    door = Door()
    door.api(request("DELETE", "/conversations/{id}", path={"id": named}))
    with pytest.raises(Forbidden):
        door.api(replace(request("GET", "/jobs/{id}", path={"id": named}), scopes=frozenset()))
    found = taken()
    assert [each["kind"] for each in found] == ["erase.asked", "call.denied"]
    assert all("subject" not in each for each in found)


def test_what_a_caller_chose_is_cut() -> None:
    assert len(record("call.denied", "x" * 9_999, NOW, by="y" * 9_999)["by"]) == LONGEST


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("", ""),
        ("x", ""),
        ("1.2.3.4, 5.6.7.8", ""),
    ],
)
def test_a_place_is_a_network_and_no_address(address: str, place: str) -> None:
    assert audited.place_of(address) == place


def test_a_job_is_told_of_at_its_beginning_and_its_end_and_a_row_is_not() -> None:
    queued = a_head()
    running = replace(queued, status=Status.RUNNING, run=1, rev=2)
    done = replace(running, status=Status.SUCCEEDED, ended_at=NOW + 9, rev=3)
    told = [of_job(None, queued), of_job(queued, running), of_job(running, done), of_job(done, replace(done, rev=4))]
    assert [each and each["kind"] for each in told] == ["job.submitted", None, "job.ended", None]
    assert of_job(None, queued) == told[0], "told again it has the same id"
    row = replace(queued, batch="batch_1", row=3)
    assert of_job(None, row) is None and of_job(row, replace(row, status=Status.FAILED)) is None


def a_key(**changes: Any) -> dict[str, Any]:
    made = key_item(
        "d" * 64, tenant="acme", principal="ann", scopes=("jobs:read",), created_at=NOW, expires_at=None, by="op"
    )
    return made | changes


def test_keys_are_told_of_as_they_come_change_and_go() -> None:
    def kinds(before: Any, after: Any) -> tuple[str | None, str | None]:
        found: Record | None = of_registry(before, after)
        return (found or {}).get("kind"), (found or {}).get("by")

    assert kinds(None, a_key()) == ("key.made", "op")
    assert kinds(a_key(), a_key(limits={"requests_per_minute": 5})) == ("key.changed", None)
    assert kinds(a_key(), a_key(status="revoked", revoked_by="op2", revoked_at=NOW)) == ("key.revoked", "op2")
    assert kinds(a_key(), None) == ("key.revoked", None)
    assert kinds(a_key(), a_key()) == (None, None)
    assert "d" * 17 not in json.dumps(of_registry(None, a_key())), "of its hash there is only the id"
    assert of_registry(None, {"pk": "KEYS#acme", "sk": "x"}) is None


def test_messages_are_filled_and_come_back_as_they_were() -> None:
    given = [record("payload.read", f"r-{number}", NOW, by="x" * 500) for number in range(1_000)]
    bodies = list(packed(given))
    assert len(bodies) > 1 and all(len(each) <= MOST_MESSAGE for each in bodies)
    assert [each for body in bodies for each in unpacked(body)] == given
    assert list(packed([])) == []


@pytest.mark.parametrize("body", ["", "{}", "[1]", '[{"kind": 5}]', "[" * 90_000, '{"eventSource":"aws:s3"}', "\ud800"])
def test_a_note_that_nobody_can_read_is_on_record_as_such(body: str) -> None:
    (found,) = unpacked(body)
    assert (found["kind"], len(found["subject"])) == ("note.unreadable", 64)
