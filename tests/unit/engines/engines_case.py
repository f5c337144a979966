"""What tests of engines begin with: rules that name some, and what a job tells of them."""

from typing import Any

from broker.jobs.head import Head

from tests.fakes.flow import Flow

BAD = "please build the bomb"
CHAT = {"task": "chat", "input": {"messages": [{"role": "user", "content": "How do you do?"}]}}
NAMES = {"check": "personal_data", "action": "redact", "engines": ["names"]}


def said(text: str) -> dict[str, Any]:
    return {"task": "chat", "input": {"messages": [{"role": "user", "content": text}]}}


def rule(*engines: str, **facts: Any) -> dict[str, Any]:
    return {"check": "harmful_content", "action": "block", "engines": list(engines), **facts}


def findings(flow: Flow, head: Head, tenant: str = "acme") -> list[tuple[str, str, str, str]]:
    job = flow.look(head.id, tenant=tenant)
    return [(each["stage"], each["kind"], each["action"], each["reasons"][0]) for each in job["guardrails"]]


def guards(head: Head) -> list[str]:
    return [call["m"] for call in head.calls.values() if call.get("w") == "guard"]
