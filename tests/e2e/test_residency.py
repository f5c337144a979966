"""Residency on the deployed stack: a route keeps in Europe what is not redacted, whatever is wished for."""

import json
from typing import Any

import pytest

from local.listening import Listener
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, put_event

RECORDS = {"query_type": "records"}
MAIL = "keeper@example.com"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
WHY = "may send data to us, and route records keeps unredacted data in eu"


def records(text: str = "Summarize: The lamp needed nobody.", **more: Any) -> dict[str, Any]:
    return chat(text, **{"routing": RECORDS, **more})


def told(job: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["stage"], each["kind"], each["action"]) for each in job["guardrails"]]


def reasons(job: dict[str, Any]) -> dict[str, str]:
    return {each["model"]: each["why"] for each in job["route"]}


def test_what_nobody_redacts_stays_in_europe_and_the_route_says_why(stack: Stack) -> None:
    job = stack.run(records())
    assert (job["status"], stack.calls_of(job)) == ("succeeded", ["european"])
    assert reasons(job)["american"] == WHY
    assert reasons(job)["echoes"].startswith("keeps to no known data region")
    estimate = stack.api.call("POST", "/estimates", records()).body
    assert [each["model"] for each in estimate["candidates"]] == ["european"]


@pytest.mark.parametrize("text", [f"Write to {MAIL}.", "Summarize: The lamp needed nobody."])
def test_what_the_policies_redact_may_leave(stack: Stack, text: str) -> None:
    job = stack.run(records(text), stack.as_tenant("discreet"))
    assert (job["status"], stack.calls_of(job)) == ("succeeded", ["american"])
    assert MAIL not in str(job)


@pytest.mark.parametrize(
    "wish",
    [{"model": "american"}, {"model": "over"}, {"model": "american", "routing": RECORDS | {"fallbacks": ["echoes"]}}],
)
def test_a_model_elsewhere_that_is_named_is_refused(stack: Stack, wish: dict[str, Any]) -> None:
    answer = stack.api.submit(records(**wish))
    assert (answer.status, answer.body["error"]["code"], answer.body["error"]["param"]) == (
        400,
        "no_candidate",
        "model",
    )
    assert WHY in answer.body["error"]["message"]


def test_a_picture_beside_a_redacted_text_stays_in_europe(stack: Stack) -> None:
    parts = [{"type": "text", "text": f"Whose is {MAIL}?"}, PICTURE]
    body = {"input": {"messages": [{"role": "user", "content": parts}]}, "routing": RECORDS, "model": "american"}
    answer = stack.as_tenant("discreet").submit(body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "no_candidate")


def test_an_engine_elsewhere_is_not_asked_about_what_is_not_redacted(stack: Stack) -> None:
    job = stack.run(records("How do you do?"), stack.as_tenant("judged"))
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("blocked", "blocked_input", [])
    assert told(job) == [("input", "outside_residency", "error")]
    job = stack.run(records("How do you do?"), stack.as_tenant("judged-by-none-open"))
    assert (job["status"], stack.calls_of(job)) == ("succeeded", ["european"])
    assert told(job) == [("input", "outside_residency", "error")]


def test_an_engine_elsewhere_is_asked_about_what_the_rules_have_redacted(stack: Stack) -> None:
    job = stack.run(records("How do you do?"), stack.as_tenant("judged-names"))
    assert (job["status"], told(job)) == ("succeeded", [])
    assert [(each["model"], each["operation"]) for each in job["attempts"]] == [
        ("judge", "guard"),
        ("american", "answer"),
        ("judge", "guard"),
    ]


def test_the_question_is_embedded_by_nobody_elsewhere(stack: Stack) -> None:
    api = stack.as_tenant("alike")
    job = stack.run(records("Which lamp needed nobody?", cache={"similarity": 0.9}), api)
    assert (job["status"], [(each["model"], each["operation"]) for each in job["attempts"]]) == (
        "succeeded",
        [("european", "answer")],
    )
    assert "passed over: keeps to no known data region" in reasons(job)["answers"]


def test_rows_of_files_and_events_are_held_to_it_too(stack: Stack) -> None:
    files = Files(stack)
    lines = [json.dumps(each) for each in (records(), records(model="american"))]
    kept, refused = files.rows(files.put("records.jsonl", "\n".join(lines)))
    assert (kept["job"]["status"], kept["job"]["model"]) == ("succeeded", "european")
    assert refused["error"]["code"] == "no_candidate"
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, records(model="american"), "tests.orders")
        event = heard.wait("RequestRejected", lambda detail: detail["metadata"]["correlation_id"] == sent)
    assert event is not None
    assert event["detail"]["data"]["error"]["code"] == "no_candidate"
