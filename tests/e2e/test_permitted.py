"""Permissions through the deployed stack: one rule at every door; a hostile tenant calls its groups as we do."""

from typing import Any

import pytest

from local.client import Client
from tests.e2e.stack import Stack, chat

CREATIVE = chat(model="creative")
MESSAGES = [{"role": "user", "content": "Summarize: The lamp needed nobody."}]

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "jobs": ("/jobs", CREATIVE),
    "a fallback": ("/jobs", chat(model="answers", routing={"fallbacks": ["creative"]})),
    "an estimate": ("/estimates", CREATIVE),
    "a prompt's run": ("/prompts/of-ponds/run", {"variables": {"what": "x"}, "model": "creative"}),
    "responses": ("/responses", {"model": "creative", "input": "Hi"}),
    "chat completions": ("/chat/completions", {"model": "creative", "messages": MESSAGES}),
    "messages": ("/messages", {"model": "creative", "max_tokens": 20, "messages": MESSAGES}),
    "defaults of a batch": ("/batches", {"requests": [{"input": {"text": "Hi"}}], "defaults": {"model": "creative"}}),
}


def of(stack: Stack, tenant: str, application: str | None) -> Client:
    return stack.as_tenant(tenant, application=application)


@pytest.mark.parametrize("asked", ASKED)
def test_whom_the_rule_does_not_name_is_refused_at_each_door(stack: Stack, asked: str) -> None:
    path, body = ASKED[asked]
    for client in (of(stack, "studio", "crm"), of(stack, "studio", None), of(stack, "hostile", "campaigns")):
        answer = client.call("POST", path, body)
        assert answer.status == 403, answer.body
        error = answer.body["error"]
        assert "Ask the studio." in error["message"] and "'creative'" in error["message"]
    assert of(stack, "studio", "campaigns").call("POST", path, body).status < 300


def test_whom_the_rule_names_is_served_and_the_job_says_for_which_application(stack: Stack) -> None:
    client = of(stack, "studio", "campaigns")
    job = stack.run(CREATIVE, client)
    assert (job["status"], job["model"], job["application"]) == ("succeeded", "creative", "campaigns")
    listed = client.call("GET", "/jobs?application=campaigns&limit=100").body["data"]
    assert job["id"] in [each["id"] for each in listed]
    assert {each["application"] for each in listed} == {"campaigns"}
    assert of(stack, "hostile", "campaigns").call("GET", f"/jobs/{job['id']}").status == 404
    others = of(stack, "hostile", "campaigns").call("GET", "/jobs?application=campaigns&limit=100").body["data"]
    assert job["id"] not in [each["id"] for each in others]
