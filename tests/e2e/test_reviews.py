"""Held jobs on the deployed stack: before and after the model, by all doors, and how people end it."""

import json
import random
import string
import time
from pathlib import Path
from typing import Any

import pytest
from broker.cli.reviewing import export_feedback
from broker.clock import now_ms
from broker.jobs.head import job_pk
from broker.storage import Update
from standardwebhooks import Webhook

from local.client import Client, HttpReply
from local.listening import Listener
from local.receiver import Receiver
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, until
from tests.e2e.test_admin import signed

BEFORE, AFTER = "Repeat: a stork at the door", "Repeat: an egret in the reeds"
"""What the tenants' policy holds before the model, and after it."""


@pytest.fixture
def api(stack: Stack) -> Client:
    return stack.as_tenant("reviewed")


def held(api: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Submit a job and give it once it is held."""
    job_id = api.submit(body).body["id"]
    return waiting(api, job_id)


def waiting(api: Client, job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = api.call("GET", f"/jobs/{job_id}").body
        return job if job["review"] and job["review"]["state"] == "held" else None

    job = until(look)
    assert job, api.call("GET", f"/jobs/{job_id}").body
    return dict(job)


def decide(stack: Stack, job: dict[str, Any], what: str, **more: str) -> HttpReply:
    body = {"stage": job["review"]["stage"], "reason": "I looked at it."} | more
    return signed(stack, "POST", f"/admin/reviews/{job['id']}/{what}", body)


def queue(stack: Stack, tenant: str) -> list[str]:
    """What is held of a tenant, over all pages."""
    found, cursor = [], ""
    while True:
        page = signed(stack, "GET", f"/admin/reviews?tenant={tenant}&limit=2{cursor}").body
        found += [each["job_id"] for each in page["data"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_a_request_is_held_before_any_model_and_goes_on_when_it_is_released(stack: Stack, api: Client) -> None:
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        job = held(api, chat(BEFORE, model="echoes", bus_events=False))
        event = heard.wait("JobHeld", lambda detail: detail["data"]["job_id"] == job["id"])
        assert event is not None and "stork" not in json.dumps(event)
        assert (job["status"], job["attempts"], job["output"]) == ("queued", [], None)
        assert job["id"] in queue(stack, "reviewed")
        shown = signed(stack, "GET", f"/admin/reviews/{job['id']}").body
        assert BEFORE in [each["text"] for each in shown["texts"]]
        assert [each["rule"] for each in shown["findings"]] == ["denied_terms"]
        assert decide(stack, job, "release").body["state"] == "released"
        done = api.finished(job["id"])
        assert heard.wait("JobReleased", lambda detail: detail["data"]["job_id"] == job["id"]) is not None
    assert (done["status"], len(done["attempts"]), done["review"]["state"]) == ("succeeded", 1, "released")
    assert job["id"] not in queue(stack, "reviewed")
    events = [each["event"] for each in api.call("GET", f"/jobs/{job['id']}/events").body["data"]]
    assert events[:4] == ["job.accepted", "job.started", "job.held", "job.released"]


def test_who_waits_is_told_at_once_that_a_person_has_to_look(stack: Stack, api: Client) -> None:
    reply = api.submit(chat(BEFORE, model="echoes"), prefer="wait=25")
    assert (reply.status, reply.body["review"]["state"]) == (202, "held")
    shown = signed(stack, "GET", f"/admin/reviews/{reply.body['id']}").body
    assert [each["text"] for each in shown["texts"]] == [BEFORE], "nothing but what a person would judge"
    assert decide(stack, reply.body, "reject").status == 200
    assert api.call("GET", f"/jobs/{reply.body['id']}?wait=25").body["status"] == "blocked"


def test_a_webhook_that_asks_is_told_of_a_hold_and_of_the_end(stack: Stack, api: Client) -> None:
    with Receiver() as receiver:
        hook = {"url": receiver.url, "events": ["job.held", "job.blocked"]}
        job = held(api, chat(BEFORE, model="echoes", webhook=hook))
        (arrived,) = receiver.wait()
        body = Webhook(stack.seeded.webhook_secret).verify(arrived.body, arrived.headers)
        assert (body["type"], body["data"]["job_id"]) == ("job.held", job["id"])
        assert body["data"]["review"]["stage"] == "input"
        assert "stork" not in json.dumps(body)
        assert decide(stack, job, "reject").status == 200
        _, ended = receiver.wait(2)
        assert json.loads(ended.body)["type"] == "job.blocked"
    assert arrived.headers["webhook-id"] != ended.headers["webhook-id"]


def test_an_answer_is_held_and_released_with_one_call_that_is_paid_for_once(stack: Stack, api: Client) -> None:
    body = chat(AFTER, model="echoes", cache={})
    job = held(api, body)
    assert (job["output"], len(job["attempts"])) == (None, 1)
    shown = signed(stack, "GET", f"/admin/reviews/{job['id']}").body
    assert any("egret" in each["text"] for each in shown["texts"] if each["place"].startswith("output"))
    assert decide(stack, job, "release").status == 200
    assert decide(stack, job, "release").body["state"] == "released", "a repeat changes nothing"
    done = api.finished(job["id"])
    assert (done["status"], len(done["attempts"]), done["attempts"][0]["paid"]) == ("succeeded", 1, "yes")
    assert "egret" in done["output"]["text"]
    assert done["usage"]["cost_usd"] == done["attempts"][0]["cost_usd"] > 0
    again = held(api, body)
    assert len(again["attempts"]) == 1, "an answer that was held is not kept for others"
    assert decide(stack, again, "reject").status == 200


def test_a_rejected_answer_is_blocked_paid_for_and_not_shown(stack: Stack, api: Client) -> None:
    job = held(api, chat(AFTER, model="echoes"))
    assert decide(stack, job, "reject").body["state"] == "rejected"
    done = api.finished(job["id"])
    assert (done["status"], done["error"]["code"], done["error"]["source"]) == ("blocked", "blocked_output", "review")
    assert (done["output"], done["usage"]["cost_usd"] > 0) == (None, True)
    assert "looked" not in json.dumps(done)
    refused = decide(stack, job, "release")
    assert (refused.status, refused.body["error"]["code"]) == (409, "not_held")
    trail = signed(stack, "GET", f"/admin/reviews/{job['id']}").body["audit"]
    assert [(each["what"], each["reason"]) for each in trail] == [("rejected", "I looked at it.")]
    assert trail[0]["by"]


def test_a_large_request_lies_in_the_bucket_and_is_shown_whole(stack: Stack, api: Client) -> None:
    text = BEFORE + "".join(random.Random(11).choices(string.ascii_letters + '"\\\x01é', k=700_000))
    job = held(api, {"input": {"text": text}, "model": "echoes"})
    shown = signed(stack, "GET", f"/admin/reviews/{job['id']}")
    assert (shown.status, shown.body["complete"]) == (200, True)
    assert [each["text"] for each in shown.body["texts"]] == [text]
    assert decide(stack, job, "release").status == 200
    assert api.finished(job["id"])["output"]["text"].endswith(text[-100:])


def test_of_two_reviewers_one_has_the_claim(stack: Stack, api: Client) -> None:
    job = held(api, chat(BEFORE, model="echoes"))
    path = f"/admin/reviews/{job['id']}/claim"
    assert signed(stack, "POST", path, {"reviewer": "ada"}).body["claim"]["reviewer"] == "ada"
    refused = signed(stack, "POST", path, {"reviewer": "bo"})
    assert (refused.status, refused.body["error"]["code"]) == (409, "claimed")
    assert int(refused.headers["retry-after"]) > 0
    assert decide(stack, job, "release", reviewer="bo").status == 409
    assert decide(stack, job, "reject", reviewer="ada").status == 200


def test_a_job_that_nobody_looks_at_expires_and_one_may_be_canceled(stack: Stack, api: Client) -> None:
    expiring, canceled = (held(api, chat(AFTER, model="echoes")) for _ in range(2))
    over = {"deadline_at": now_ms(), "due_at": now_ms()}
    stack.database.write(Update("jobs", job_pk(expiring["id"]), "HEAD", set=over))
    assert api.call("POST", f"/jobs/{canceled['id']}/cancel").body["status"] == "canceled"
    time.sleep(0.1)
    stack.sweep()
    stack.sweep()
    done = api.call("GET", f"/jobs/{expiring['id']}").body
    assert (done["status"], done["error"]["code"], done["review"]["state"]) == ("expired", "not_reviewed", "expired")
    for job_id in (expiring["id"], canceled["id"]):
        paid = until(lambda job_id=job_id: api.call("GET", f"/jobs/{job_id}").body["attempts"][0]["paid"] == "yes")
        assert paid, "an answer that nobody took is paid for, at what it cost"
        assert job_id not in queue(stack, "reviewed")
    assert api.call("DELETE", f"/jobs/{canceled['id']}").status == 204


def test_events_and_files_are_held_alike(stack: Stack, api: Client) -> None:
    entry = {
        "EventBusName": stack.outputs["BusName"],
        "Source": "tests.reviewed",
        "DetailType": "InferenceRequested",
        "Detail": json.dumps(chat(BEFORE, model="echoes")),
    }
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = stack.cloud.client("events").put_events(Entries=[entry])["Entries"][0]["EventId"]
        event = heard.wait("JobHeld", lambda detail: detail["metadata"]["correlation_id"] == sent)
    assert event is not None
    by_event = waiting(api, event["detail"]["data"]["job_id"])
    assert decide(stack, by_event, "release").status == 200
    assert api.finished(by_event["id"])["status"] == "succeeded"

    files = Files(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        lines = [json.dumps(chat(text, model="echoes")) for text in (AFTER, "Repeat: a lamp")]
        key = files.put("birds.jsonl", "\n".join(lines), "reviewed")
        event = heard.wait("JobHeld", lambda detail: detail["metadata"]["correlation_id"].startswith("batch_"))
        assert event is not None
        assert decide(stack, waiting(api, event["detail"]["data"]["job_id"]), "reject").status == 200
    rows = files.rows(key)
    assert [row["job"]["status"] for row in rows] == ["blocked", "succeeded"]
    assert rows[0]["job"]["error"]["source"] == "review"


def test_a_tenant_that_floods_the_queue_hides_nobody_elses_jobs(stack: Stack, api: Client) -> None:
    other = stack.as_tenant("reviewed-too")
    flood = [held(api, chat(BEFORE, model="echoes"))["id"] for _ in range(5)]
    mine = held(other, chat(BEFORE, model="echoes"))
    assert until(lambda: queue(stack, "reviewed-too") == [mine["id"]])
    assert set(flood) <= set(queue(stack, "reviewed"))
    everything = signed(stack, "GET", "/admin/reviews?limit=100").body["data"]
    order = [each["since"] for each in everything]
    assert order == sorted(order)
    for name in ("feedback", "cancel"):
        said = {"about": "guardrails", "verdict": "missed"}
        assert other.call("POST", f"/jobs/{flood[0]}/{name}", said).status == 404
    for job_id in flood:
        api.call("POST", f"/jobs/{job_id}/cancel")
    assert decide(stack, mine, "reject").status == 200


def test_feedback_on_what_was_not_found_is_refused_with_the_field(stack: Stack, api: Client) -> None:
    job = held(api, chat(BEFORE, model="echoes"))
    path = f"/jobs/{job['id']}/feedback"
    wrong = {"about": "guardrails", "verdict": "false_positive"}
    for said, param in (({"stage": "output"}, "stage"), ({"rule": "secrets"}, "rule"), ({"kind": "visa"}, "kind")):
        refused = api.call("POST", path, wrong | said)
        assert (refused.status, refused.body["error"]["param"]) == (400, param)
        assert refused.body["error"]["code"] == "no_such_finding"
    assert api.call("POST", path, wrong | {"rule": "denied_terms"}).status == 201
    assert api.call("POST", path, wrong | {"verdict": "missed", "rule": "topics", "kind": "x" * 200}).status == 201
    assert decide(stack, job, "reject", reason="x" * 10_000).body["error"]["param"] == "reason"
    assert decide(stack, job, "reject", reason=" ").status == 400
    assert decide(stack, job, "reject", reason="\x1b[2J<b>\n\u202e").status == 200


def test_feedback_is_listed_and_exported_as_rows(stack: Stack, api: Client, tmp_path: Path) -> None:
    job = stack.run(chat("Repeat: a lamp", model="echoes"), api)
    said = {"about": "guardrails", "verdict": "missed", "rule": "injection", "comment": "It obeyed."}
    given = api.call("POST", f"/jobs/{job['id']}/feedback", said)
    assert (given.status, given.body["verdict"]) == (201, "missed")

    def listed() -> bool:
        found = signed(stack, "GET", "/admin/feedback?tenant=reviewed").body["data"]
        return [(each["job_id"], each["comment"]) for each in found[:1]] == [(job["id"], "It obeyed.")]

    assert until(listed)
    (row,) = signed(stack, "GET", "/admin/feedback/rows?tenant=reviewed&limit=1").body["data"]
    assert (row["text"], row["label"], row["kind"]) == ("Repeat: a lamp", 1, "injection")
    file = tmp_path / "rows.jsonl"
    assert "rows written" in export_feedback(stack.cloud, stack.outputs, file)
    assert row in [json.loads(line) for line in file.read_text().splitlines()]
    assert api.call("DELETE", f"/jobs/{job['id']}").status == 204
    assert signed(stack, "GET", "/admin/feedback/rows?tenant=reviewed&limit=1").body["gone"] == [job["id"]]


def test_no_tenant_sees_the_queue(stack: Stack, api: Client) -> None:
    for path in ("/admin/reviews", "/admin/feedback", "/admin/feedback/rows"):
        assert api.call("GET", path).status in (401, 403, 404)
