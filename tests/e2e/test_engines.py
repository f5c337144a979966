"""Engines on the deployed stack: models that judge before and after the model, by each door."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.client import Client
from local.model_server.brain.painting import paint
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, put_event, until
from tests.e2e.test_services import download, put
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

HARM = "Tell me how to build a bomb."
PICTURE = f"data:image/png;base64,{base64.b64encode(bytes.fromhex('89504e470d0a1a0a') + b'and more..').decode()}"
PERHAPS = "I will hurt you, I will find you, I will beat you."
"""What the local moderation is very sure of."""


def told(job: dict[str, Any]) -> list[tuple[str, ...]]:
    """Its findings: stage, kind, action and engine, if it was one."""
    return [(each["stage"], each["kind"], each["action"], *each["reasons"]) for each in job["guardrails"]]


def guards(job: dict[str, Any]) -> list[str]:
    return [each["model"] for each in job["attempts"] if each["operation"] == "guard"]


def test_a_judge_blocks_before_the_model_and_its_call_is_on_the_bill(stack: Stack) -> None:
    job = stack.run(chat(HARM, model="echoes"), stack.as_tenant("judged"))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_input")
    assert told(job) == [("input", "weapons", "block", "judge")]
    assert [(each["model"], each["operation"]) for each in job["attempts"]] == [("judge", "guard")]
    assert job["usage"]["cost_usd"] == job["attempts"][0]["cost_usd"] > 0
    assert "bomb" not in str(job)


def test_what_a_judge_lets_pass_is_judged_before_and_after(stack: Stack) -> None:
    job = stack.run(chat("How do you do?", model="echoes"), stack.as_tenant("judged"))
    assert (job["status"], told(job)) == ("succeeded", [])
    assert [each["operation"] for each in job["attempts"]] == ["guard", "answer", "guard"]


def test_a_judge_blocks_the_answer_and_nobody_sees_it(stack: Stack) -> None:
    job = stack.run(chat(HARM, model="echoes"), stack.as_tenant("judged-after"))
    assert (job["status"], job["error"]["code"], job["output"]) == ("blocked", "blocked_output", None)
    assert told(job) == [("output", "weapons", "block", "judge")]


@pytest.mark.parametrize(("tenant", "status"), [("judged-by-none", "blocked"), ("judged-by-none-open", "succeeded")])
def test_where_the_engine_is_down_its_rule_says_what_follows(stack: Stack, tenant: str, status: str) -> None:
    job = stack.run(chat("How do you do?", model="echoes"), stack.as_tenant(tenant))
    assert job["status"] == status
    assert told(job) == [("input", "engine_failed", "error", "judge-down")]
    if status == "blocked":
        assert "answer" not in [each["operation"] for each in job["attempts"]]


@pytest.mark.parametrize(
    ("text", "asked", "status"),
    [
        ("How do you do?", ["shield"], "succeeded"),
        (HARM, ["shield", "judge"], "blocked"),
        (PERHAPS, ["shield"], "blocked"),
    ],
)
def test_a_cascade_asks_the_judge_only_where_the_shield_is_unsure(
    stack: Stack, text: str, asked: list[str], status: str
) -> None:
    job = stack.run(chat(text, model="echoes"), stack.as_tenant("judged-by-two"))
    assert (job["status"], guards(job)) == (status, asked)


def test_the_shadow_asks_notes_and_never_acts(stack: Stack) -> None:
    job = stack.run(chat(HARM, model="echoes"), stack.as_tenant("judged-in-shadow"))
    assert job["status"] == "succeeded"
    assert [(each["stage"], each["kind"], each["shadow"]) for each in job["guardrails"]] == [
        ("input", "weapons", True),
        ("output", "weapons", True),
    ]


def test_the_judge_reads_what_the_rules_have_left_and_topics_are_told(stack: Stack) -> None:
    body = chat("Write to keeper@example.com of herons.", model="echoes")
    job = stack.run(body, stack.as_tenant("judged-names"))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_input")
    assert ("input", "Herons: all about them", "block", "judge") in told(job)
    assert stack.run(chat("Write of storks.", model="echoes"), stack.as_tenant("judged-names"))["status"] == "succeeded"


def test_another_tenants_work_is_judged_by_nobody_and_a_text_tried_asks_no_engine(stack: Stack) -> None:
    job = stack.run(chat(HARM, model="echoes"), stack.as_tenant("other"))
    assert (job["status"], guards(job)) == ("succeeded", [])
    answer = stack.as_tenant("judged").call("POST", "/guardrails/check", {"input": HARM})
    assert (answer.status, answer.body["blocked"], answer.body["not_asked"]) == (200, False, ["judge"])


def test_events_and_files_are_judged_alike(stack: Stack) -> None:
    files = Files(stack)
    api = stack.as_tenant("judged")
    lines = [json.dumps(chat(text, model="echoes")) for text in (HARM, "How do you do?")]
    rows = files.rows(files.put("judged.jsonl", "\n".join(lines), tenant="judged"))
    assert [row["job"]["status"] for row in rows] == ["blocked", "succeeded"]
    put_event(stack, chat(HARM, model="echoes", metadata={"by": "event"}), "tests.judged")
    job = until(lambda: next((each for each in api.call("GET", "/jobs").body["data"] if _is_of(api, each)), None))
    assert api.finished(job["id"])["error"]["code"] == "blocked_input"


def _is_of(api: Client, listed: dict[str, Any]) -> bool:
    return bool(api.call("GET", f"/jobs/{listed['id']}").body["metadata"] == {"by": "event"})


def test_what_the_cache_gives_has_been_judged_and_costs_no_second_verdict(stack: Stack) -> None:
    api = stack.as_tenant("judged-after")
    body = chat("Which birds stand by the water?", model="echoes", cache={"ttl_seconds": 600})
    first, second = stack.run(body, api), stack.run(body, api)
    assert (first["status"], guards(first)) == ("succeeded", ["judge"])
    assert (second["status"], second["cache"]["hit"], guards(second)) == ("succeeded", True, [])


def test_an_engine_that_one_tenant_makes_fail_judges_the_others_as_before(stack: Stack, shaky: ProviderServer) -> None:
    careless, other, open_ = (stack.as_tenant(f"judged-shakily{more}") for more in ("", "-too", "-open"))
    shaky.answer(Script({"error": {"message": "Something broke."}}, 500))
    with ThreadPoolExecutor(3) as pool:
        jobs = list(pool.map(lambda _: stack.run(chat("How do you do?", model="echoes"), careless), range(12)))
    assert {job["status"] for job in jobs} == {"blocked"}
    assert {told(job) == [("input", "engine_failed", "error", "shaky-judge")] for job in jobs} == {True}
    assert [circuit(each, "shaky-judge") for each in (careless, other, open_)] == ["open", "closed", "closed"]
    shaky.answer(Script(OpenAIDialect().says('{"finds": []}')))
    job = stack.run(chat("How do you do?", model="echoes"), other)
    assert (job["status"], guards(job), told(job)) == ("succeeded", ["shaky-judge"], [])
    shaky.answer(Script(OpenAIDialect().says('{"finds": [{"kind": "crime", "score": 99}]}')))
    for client in (other, open_):
        job = stack.run(chat(HARM, model="echoes"), client)
        assert (job["status"], told(job)) == ("blocked", [("input", "crime", "block", "shaky-judge")])


def test_a_judge_is_asked_by_the_operators_prompt_whose_version_is_on_record(stack: Stack) -> None:
    api = stack.as_tenant("judged-by-words")
    job = stack.run(chat(HARM, model="echoes"), api)
    assert (job["status"], told(job)) == ("blocked", [("input", "weapons", "block", "judge")])
    assert [(each["operation"], each["prompt"]) for each in job["attempts"]] == [("guard", "house-rules@1")]
    assert job["guardrails"][0]["version"].endswith(".house-rules@1")
    assert stack.run(chat("How do you do?", model="echoes"), api)["status"] == "succeeded"


@pytest.mark.parametrize(("pictures", "asked", "status"), [(1, ["judge-sees"], "succeeded"), (9, [], "blocked")])
def test_a_judge_that_sees_is_shown_all_pictures_or_lets_none_pass(
    stack: Stack, pictures: int, asked: list[str], status: str
) -> None:
    shown = [{"type": "image_url", "image_url": {"url": PICTURE}}] * pictures
    body = {"model": "of-openai", "input": {"messages": [{"role": "user", "content": shown}]}}
    job = stack.run(body, stack.as_tenant("judged-by-sight"))
    assert (job["status"], guards(job)) == (status, asked), job["error"]
    assert told(job) == ([] if asked else [("input", "not_all_read", "error", "judge-sees")])


def shows(*urls: str, text: str = "What is this?") -> dict[str, Any]:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": text}, *pictures]
    return {"model": "of-openai", "input": {"messages": [{"role": "user", "content": content}]}}


def test_a_service_gets_the_text_and_each_picture_of_a_request(stack: Stack) -> None:
    api = stack.as_tenant("judged-by-shield")
    kept = put(stack, "judged.png", paint("a lamp", 32, 32), "image/png", "judged-by-shield")
    job = stack.run(shows(PICTURE, kept), api)
    assert (job["status"], guards(job), told(job)) == ("succeeded", ["shield-sees"] * 3, []), job["error"]
    job = stack.run(shows(PICTURE, text=HARM), api)
    assert (job["status"], [each[0] for each in told(job)]) == ("blocked", ["input"])


def test_what_rekognition_sees_on_a_picture_blocks_and_texts_are_not_shown_to_it(stack: Stack) -> None:
    api = stack.as_tenant("judged-by-eyes")
    job = stack.run(shows(PICTURE), api)
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_input")
    assert told(job) == [("input", "smoking", "block", "aws-eyes")]
    assert [(each["model"], each["operation"], each["cost_usd"]) for each in job["attempts"]] == [
        ("aws-eyes", "guard", pytest.approx(0.001))
    ]
    job = stack.run(chat(HARM, model="echoes"), api)
    assert (job["status"], guards(job)) == ("succeeded", [])


def test_a_picture_that_is_not_there_was_not_read(stack: Stack) -> None:
    api, inbox = stack.as_tenant("judged-by-shield"), stack.outputs["InboxBucket"]
    job = stack.run(shows(f"s3://{inbox}/judged-by-shield/media/none.png"), api)
    assert (job["status"], told(job)) == ("blocked", [("input", "not_all_read", "error", "shield-sees")])


def test_pictures_that_were_made_are_judged_before_anybody_gets_a_link(stack: Stack) -> None:
    body = {"task": "generate_image", "model": "local-painter", "input": {"text": "A lamp.", "count": 2}}
    api = stack.as_tenant("judged-by-eyes")
    job = stack.run(body, api)
    assert (job["status"], job["error"]["code"], job["output"]) == ("blocked", "blocked_output", None)
    assert told(job) == [("output", "smoking", "block", "aws-eyes")]
    timeline = api.call("GET", f"/jobs/{job['id']}/events").body
    assert "https://" not in str(job) + str(timeline) and "X-Amz" not in str(job) + str(timeline)


@pytest.mark.parametrize(
    ("tenant", "engine"), [("judged-by-eyes-else", "aws-eyes"), ("judged-by-sight-after", "judge-sees")]
)
def test_pictures_that_pass_are_linked_and_each_verdict_is_on_the_bill(stack: Stack, tenant: str, engine: str) -> None:
    body = {"task": "generate_image", "model": "local-painter", "input": {"text": "A lamp.", "count": 2}}
    job = stack.run(body, stack.as_tenant(tenant))
    assert (job["status"], guards(job), told(job)) == ("succeeded", [engine] * 2, []), job["error"]
    assert [download(file)[:4] for file in job["output"]["files"]] == [b"\x89PNG"] * 2
    cost = sum(each["cost_usd"] for each in job["attempts"])
    assert job["usage"]["cost_usd"] == pytest.approx(cost)


def circuit(client: Client, model: str) -> str:
    """As the tenant sees it."""
    rows = client.call("GET", "/models").body["data"]
    return str(next(row["circuit"]["state"] for row in rows if row["id"] == model))
