"""The OpenAPI document, and one call for each reply that it has of the functions."""

import json
from typing import Any

from tests.contract.openapi_anthropic import anthropic_calls
from tests.contract.openapi_batches import batch_calls
from tests.contract.openapi_bulk import bulk_calls
from tests.contract.openapi_conversations import conversation_calls
from tests.contract.openapi_endpoints import endpoint_calls
from tests.contract.openapi_files import file_calls
from tests.contract.openapi_media import media_calls
from tests.contract.stack import ROOT
from tests.contract.world import ASK
from tests.fakes.texts import long_text

DOCUMENT: dict[str, Any] = json.loads((ROOT / "schemas" / "openapi.json").read_text())
LONG = {"prompts": [{"id": "long", "version": n, "user": long_text(400_000, n)} for n in (1, 2)]}
RUN = {"variables": {"document": "The lamp."}}


def calls() -> list[Any]:
    """One call for each documented reply that the function itself gives."""
    body, bad = json.dumps(ASK), json.dumps({"colour": "blue"})
    lost = {"path": {"id": "job_0"}}
    keyed = {"headers": {"idempotency-key": "k"}}
    asked = json.dumps(ASK | {"prompt": {"id": "none"}})
    run = json.dumps(RUN)
    return [
        ("POST", "/jobs", 202, None, {"body": body}),
        ("POST", "/jobs", 202, None, {"body": body, **keyed}),
        ("POST", "/jobs", 202, None, {"body": body, "headers": {"prefer": "wait=1"}}),
        ("POST", "/jobs", 200, "key of an ended job", {"body": body, **keyed}),
        ("POST", "/jobs", 400, None, {"body": bad}),
        ("POST", "/jobs", 400, None, {"body": "{"}),
        ("POST", "/jobs", 402, None, {"body": body, "tenant": "poor"}),
        ("POST", "/jobs", 403, None, {"body": body, "tenant": "unknown"}),
        ("POST", "/jobs", 403, None, {"body": body, "scopes": frozenset({"jobs:read"})}),
        ("POST", "/jobs", 404, None, {"body": asked}),
        ("POST", "/jobs", 422, "key used", {"body": body, **keyed}),
        ("POST", "/jobs", 409, "key held", {"body": body, **keyed}),
        ("GET", "/jobs", 200, "ended", {}),
        ("GET", "/jobs", 200, "two", {"query": {"limit": "1"}}),
        ("GET", "/jobs", 400, None, {"query": {"limit": "0"}}),
        ("GET", "/jobs", 400, None, {"query": {"status": "done"}}),
        ("GET", "/jobs", 400, None, {"query": {"cursor": "x"}}),
        ("GET", "/jobs", 400, None, {"query": {"tag": "order"}}),
        ("GET", "/jobs", 400, None, {"query": {"created_after": "yesterday"}}),
        ("GET", "/jobs/{id}", 200, "ended", {}),
        ("GET", "/jobs/{id}", 400, "ended", {"query": {"wait": "26"}}),
        ("GET", "/jobs/{id}", 404, None, lost),
        ("GET", "/jobs/{id}", 410, "erased", {}),
        ("DELETE", "/jobs/{id}", 204, "ended", {}),
        ("DELETE", "/jobs/{id}", 400, "queued", {}),
        ("DELETE", "/jobs/{id}", 404, None, lost),
        ("POST", "/jobs/{id}/cancel", 200, "queued", {}),
        ("POST", "/jobs/{id}/cancel", 409, "ended", {}),
        ("POST", "/jobs/{id}/cancel", 404, None, lost),
        ("GET", "/jobs/{id}/events", 200, "ended", {}),
        ("GET", "/jobs/{id}/events", 200, "waiting", {}),
        ("GET", "/jobs/{id}/events", 404, None, lost),
        ("POST", "/jobs/{id}/redeliver", 202, "ended", {}),
        ("POST", "/jobs/{id}/redeliver", 400, "queued", {}),
        ("POST", "/jobs/{id}/redeliver", 404, None, lost),
        *(
            ("POST", "/prompts/{id}/run", status, before, {"path": {"id": "shorten"}, "body": run, **given})
            for status, before, given in (
                (202, None, {}),
                (202, None, {"headers": {"idempotency-key": "k", "prefer": "wait=1"}}),
                (200, "run ended", keyed),
                (400, None, {"body": bad}),
                (402, None, {"tenant": "poor"}),
                (404, None, {"path": {"id": "none"}}),
                (409, "run held", keyed),
                (422, "key used", keyed),
                (503, "text lost", {"path": {"id": "long"}, "body": "{}"}),
            )
        ),
        ("POST", "/jobs", 503, "text lost", {"body": json.dumps({"prompt": {"id": "long"}})}),
        ("POST", "/estimates", 503, "text lost", {"body": json.dumps({"prompt": {"id": "long"}})}),
        ("GET", "/conversations/{id}/turns", 200, "talk", {"path": {"id": "c1"}}),
        ("GET", "/conversations/{id}/turns", 400, None, {"path": {"id": "c1"}, "query": {"limit": "0"}}),
        ("GET", "/conversations/{id}/turns", 404, None, {"path": {"id": "c1"}}),
        ("DELETE", "/conversations/{id}/turns", 204, "talk", {"path": {"id": "c1"}}),
        ("POST", "/guardrails/check", 200, None, {"body": json.dumps({"input": "Pay 4111 1111 1111 1111."})}),
        ("POST", "/guardrails/check", 200, "redacting", {"body": json.dumps({"input": "A heron."})}),
        ("POST", "/guardrails/check", 400, None, {"body": bad}),
        ("POST", "/guardrails/check", 404, None, {"body": json.dumps({"input": "Hi", "policies": ["none"]})}),
        ("POST", "/guardrails/check", 503, "policy lost", {"body": json.dumps({"input": "Hi"})}),
        ("POST", "/estimates", 200, None, {"body": body}),
        ("POST", "/estimates", 200, "called", {"body": body}),
        ("POST", "/estimates", 400, None, {"body": bad}),
        ("POST", "/estimates", 402, None, {"body": body, "tenant": "poor"}),
        ("POST", "/estimates", 403, None, {"body": body, "scopes": frozenset()}),
        ("POST", "/estimates", 404, None, {"body": asked}),
        ("GET", "/prompts", 200, None, {}),
        ("GET", "/prompts", 200, "labelled", {}),
        ("GET", "/prompts", 400, None, {"query": {"limit": "101"}}),
        ("GET", "/prompts", 503, "text lost", {}),
        ("GET", "/models", 200, None, {}),
        ("GET", "/models", 200, "called", {}),
        ("GET", "/models", 403, None, {"scopes": frozenset()}),
        ("GET", "/models/{id}", 200, None, {"path": {"id": "small"}}),
        ("GET", "/limits", 200, None, {"key": "0123456789abcdef", "limits": {"requests_per_minute": 60}}),
        ("GET", "/usage", 200, None, {}),
        ("GET", "/usage", 200, None, {"query": {"by": "task", "from": "2025-11-01", "to": "2025-11-30"}}),
        ("GET", "/usage", 400, None, {"query": {"by": "nothing"}}),
        ("GET", "/models/{id}", 404, None, {"path": {"id": "none"}}),
        *openai_calls(),
        *media_calls(),
        *conversation_calls(),
        *anthropic_calls(),
        *batch_calls(),
        *bulk_calls(),
        *file_calls(),
        *endpoint_calls(),
        *mcp_calls(),
        *admin_calls(),
    ]


def mcp_calls() -> list[Any]:
    """The same for the Model Context Protocol."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    work = {"params": {"name": "estimate", "arguments": ASK}}
    modern = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    told = {"mcp-protocol-version": "2026-07-28", "mcp-method": "nothing"}
    unknown = {"jsonrpc": "2.0", "id": 1, "method": "nothing", "params": {"_meta": modern}}
    return [
        ("POST", "/mcp", 200, None, {"body": json.dumps(asked | work)}),
        ("POST", "/mcp", 200, None, {"body": json.dumps(asked | {"method": "tools/list"})}),
        ("POST", "/mcp", 200, None, {"body": json.dumps(asked | {"params": {"name": "none"}})}),
        ("POST", "/mcp", 202, None, {"body": json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})}),
        ("POST", "/mcp", 400, None, {"body": "[]"}),
        ("POST", "/mcp", 403, None, {"body": json.dumps(asked), "headers": {"origin": "https://evil.example"}}),
        ("POST", "/mcp", 404, None, {"body": json.dumps(unknown), "headers": told}),
    ]


ANSWERS: dict[str, dict[str, Any]] = {
    "/responses": {"model": "small", "input": "Hello"},
    "/chat/completions": {"model": "small", "messages": [{"role": "user", "content": "Hello"}]},
    "/embeddings": {"model": "vectors", "input": "Hello"},
    "/moderations": {"model": "judge", "input": "Hello"},
    "/images/generations": {"model": "painter", "prompt": "A heron", "response_format": "b64_json"},
    "/audio/speech": {"model": "speaker", "input": "Hello", "voice": "alloy"},
    "/messages": {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]},
}
"""The routes that give an answer, and what each is asked."""


def openai_calls() -> list[Any]:
    """The same for the routes of OpenAI's clients."""
    bad, lost = json.dumps({"colour": "blue"}), {"path": {"id": "resp_0"}}
    one, chat, lost_before = "/responses/{id}", "/chat/completions/{id}", {"previous_response_id": "resp_0"}
    counted = {"body": json.dumps(ANSWERS["/responses"])}
    found: list[Any] = [
        ("POST", "/responses", 200, None, {"body": json.dumps(ANSWERS["/responses"] | {"background": True})}),
        ("POST", "/responses/input_tokens", 200, None, counted),
        ("POST", "/responses/input_tokens", 400, None, {"body": bad}),
        ("POST", "/responses/input_tokens", 402, None, counted | {"tenant": "poor"}),
        ("POST", "/responses/input_tokens", 404, None, {"body": json.dumps({"prompt": {"id": "none"}})}),
        ("GET", one, 200, "response ended", {}),
        ("GET", one, 200, "response queued", {}),
        ("GET", one, 400, "response ended", {"query": {"wait": "26"}}),
        ("GET", one, 400, "response ended", {"query": {"stream": "true"}}),
        ("GET", one, 404, None, lost),
        ("GET", one, 413, "response too large", {}),
        ("GET", f"{one}/input_items", 200, "response ended", {}),
        ("GET", f"{one}/input_items", 400, "response ended", {"query": {"limit": "0"}}),
        ("GET", f"{one}/input_items", 404, None, lost),
        ("POST", "/responses", 400, None, {"body": json.dumps(ANSWERS["/responses"] | lost_before)}),
        ("DELETE", one, 200, "response ended", {}),
        ("DELETE", one, 400, "response queued", {}),
        ("DELETE", one, 404, None, lost),
        ("POST", f"{one}/cancel", 200, "response queued", {}),
        ("POST", f"{one}/cancel", 200, "response ended", {}),
        ("POST", f"{one}/cancel", 404, None, lost),
        ("POST", f"{one}/cancel", 413, "response too large", {}),
        ("GET", chat, 200, "completion ended", {}),
        ("GET", chat, 404, None, lost),
        ("GET", chat, 404, "completion erased", {}),
        ("GET", chat, 413, "completion too large", {}),
        ("GET", chat, 504, "completion queued", {"began": 0.0}),
        ("DELETE", chat, 200, "completion ended", {}),
        ("DELETE", chat, 400, "completion queued", {}),
        ("DELETE", chat, 404, None, lost),
        *(("GET", chat, status, f"completion failed {status}", {}) for status in (400, 409, 422, 502)),
    ]
    for route, body in ANSWERS.items():
        asked, keyed = {"body": json.dumps(body)}, {"headers": {"idempotency-key": "k"}}
        found += [
            ("POST", route, 303 if route == "/audio/speech" else 200, "answer ended", asked | keyed),
            ("POST", route, 400, None, {"body": bad}),
            ("POST", route, 402, None, asked | {"tenant": "poor"}),
            ("POST", route, 404, "answer erased", asked | keyed),
            ("POST", route, 409, "answer being accepted", asked | keyed),
            *([] if route == "/audio/speech" else [("POST", route, 413, "answer too large", asked | keyed)]),
            ("POST", route, 422, "answer of another", asked | keyed),
            ("POST", route, 502, "answer failed 502", asked | keyed),
            ("POST", route, 504, None, asked | {"began": 0.0}),
        ]
    return found


def admin_calls() -> list[Any]:
    """The same for the operators' routes."""
    kind, entry = "/admin/registry/{kind}", "/admin/registry/{kind}/{id}"
    tenants = {"kind": "tenants"}
    acme, none = tenants | {"id": "acme"}, tenants | {"id": "none"}
    good = json.dumps({"id": "acme", "monthly_budget_usd": 2})
    stale = {"headers": {"if-match": '"9"'}}
    document = json.dumps({"tenants": [{"id": "acme"}, {"id": "new"}]})
    back = json.dumps({"version": 1})
    labels, label = "/admin/prompts/{id}/labels", "/admin/prompts/{id}/labels/{label}"
    experiments = "/admin/prompts/{id}/experiments"
    prompt, nobody = {"id": "shorten"}, {"id": "nobody", "label": "production"}
    named = {"path": prompt | {"label": "production"}, "body": json.dumps({"arms": [{"version": 1}]})}
    long = {"kind": "prompts", "id": "long"}
    other = json.dumps({"id": "long", "user": "Other."})
    return [
        ("GET", kind, 200, "long", {"path": {"kind": "prompts"}}),
        ("GET", entry, 200, "long", {"path": long}),
        ("GET", entry, 200, "long", {"path": long, "query": {"version": "1"}}),
        ("GET", entry, 400, "long", {"path": long, "query": {"version": "x"}}),
        ("GET", entry, 404, "long", {"path": long, "query": {"version": "9"}}),
        ("GET", entry, 503, "text lost", {"path": long}),
        ("PUT", entry, 200, "long", {"path": long, "body": other}),
        ("PUT", entry, 503, "text lost", {"path": long, "body": other}),
        ("GET", f"{entry}/versions", 200, "text lost", {"path": long}),
        ("POST", f"{entry}/rollback", 503, "text lost", {"path": long, "body": '{"version": 1}'}),
        ("POST", "/admin/plan", 200, "long", {"body": f'{{"prompts": [{other}]}}'}),
        ("POST", "/admin/plan", 503, "text lost", {"body": f'{{"prompts": [{other}]}}'}),
        ("POST", "/admin/apply", 503, "text lost", {"body": f'{{"prompts": [{other}]}}'}),
        ("GET", kind, 200, None, {"path": tenants}),
        ("GET", kind, 404, None, {"path": {"kind": "colours"}}),
        ("GET", entry, 200, None, {"path": acme}),
        ("GET", entry, 404, None, {"path": none}),
        ("PUT", entry, 200, None, {"path": acme, "body": good}),
        ("PUT", entry, 400, None, {"path": none, "body": good}),
        ("PUT", entry, 404, None, {"path": {"kind": "colours", "id": "x"}, "body": good}),
        ("PUT", entry, 409, None, {"path": acme, "body": good, **stale}),
        ("GET", f"{entry}/versions", 200, None, {"path": acme}),
        ("GET", f"{entry}/versions", 404, None, {"path": none}),
        ("POST", f"{entry}/rollback", 200, None, {"path": acme, "body": back}),
        ("POST", f"{entry}/rollback", 400, None, {"path": acme, "body": "{}"}),
        ("POST", f"{entry}/rollback", 404, None, {"path": none, "body": back}),
        ("POST", f"{entry}/rollback", 409, None, {"path": acme, "body": back, **stale}),
        ("POST", "/admin/plan", 200, None, {"body": document}),
        ("POST", "/admin/plan", 200, None, {"body": document, "query": {"prune": "true"}}),
        ("POST", "/admin/plan", 400, None, {"body": document, "query": {"prune": "yes"}}),
        ("POST", "/admin/apply", 200, None, {"body": document}),
        ("POST", "/admin/apply", 400, None, {"body": "[]"}),
        ("POST", "/admin/apply", 409, "changed meanwhile", {"body": document}),
        ("POST", "/admin/can", 200, None, {"body": '{"who": {"tenant": "acme"}}'}),
        ("POST", "/admin/can", 400, None, {"body": '{"who": {"tenant": "acme", "key": "none"}}'}),
        ("GET", labels, 200, None, {"path": prompt}),
        ("GET", labels, 200, "labelled", {"path": prompt}),
        ("GET", labels, 404, None, {"path": nobody}),
        ("PUT", label, 200, None, named),
        ("PUT", label, 200, "labelled", named | {"body": '{"arms": []}'}),
        ("PUT", label, 400, None, named | {"body": '{"arms": [{"version": 2}]}'}),
        ("PUT", label, 404, None, named | {"path": nobody}),
        ("PUT", label, 409, None, named | stale),
        ("GET", experiments, 200, None, {"path": prompt}),
        ("GET", experiments, 200, "labelled", {"path": prompt}),
        ("GET", experiments, 404, None, {"path": nobody}),
        *job_calls(),
        *review_calls(),
        ("GET", "/admin/audit", 200, None, {}),
        ("GET", "/admin/audit", 200, None, {"query": {"kind": "payload.read", "tenant": "acme", "limit": "1"}}),
        ("GET", "/admin/audit", 400, None, {"query": {"from": "yesterday"}}),
        ("GET", "/admin/audit", 400, None, {"query": {"cursor": "x"}}),
    ]


def job_calls() -> list[Any]:
    """The same for the operators' routes of jobs."""
    jobs, one = "/admin/jobs", "/admin/jobs/{job_id}"
    lost = {"path": {"job_id": "job_0"}}
    looks = (one, f"{one}/events", f"{one}/payload")
    return [
        ("GET", jobs, 200, "ended", {"query": {"tenant": "acme"}}),
        ("GET", jobs, 200, "ended", {}),
        ("GET", jobs, 400, None, {"query": {"limit": "0"}}),
        ("GET", jobs, 400, None, {"query": {"door": "window"}}),
        ("GET", jobs, 400, None, {"query": {"cursor": "x"}}),
        *(("GET", route, 200, "ended", {}) for route in looks),
        *(("GET", route, 404, None, lost) for route in looks),
        ("GET", one, 200, "ended", {"query": {"include": "route,queue"}}),
        ("GET", one, 400, "ended", {"query": {"include": "all"}}),
        ("POST", f"{one}/cancel", 200, "queued", {}),
        ("POST", f"{one}/cancel", 404, None, lost),
        ("POST", f"{one}/cancel", 409, "ended", {}),
    ]


def review_calls() -> list[Any]:
    """The same for the routes of reviews and of feedback."""
    reviews, one, feedback = "/admin/reviews", "/admin/reviews/{job_id}", "/admin/feedback"
    given = {"about": "guardrails", "verdict": "missed", "rule": "injection", "comment": "It obeyed."}
    looked = {"body": json.dumps({"stage": "output", "reason": "I looked."})}
    lost = {"path": {"job_id": "job_0"}}
    listed = [(reviews, "held"), (feedback, "fed back"), (f"{feedback}/rows", "fed back")]
    return [
        ("POST", "/jobs/{id}/feedback", 201, "ended", {"body": json.dumps(given)}),
        ("POST", "/jobs/{id}/feedback", 400, "ended", {"body": json.dumps(given | {"verdict": "good"})}),
        ("POST", "/jobs/{id}/feedback", 404, None, {"path": {"id": "job_0"}, "body": json.dumps(given)}),
        ("POST", "/jobs/{id}/feedback", 409, "much fed back", {"body": json.dumps(given)}),
        *(("GET", route, 200, before, {"query": {"tenant": "acme"}}) for route, before in listed),
        *(("GET", route, 200, before, {}) for route, before in listed),
        *(("GET", route, 400, None, {"query": {"limit": "0"}}) for route, _ in listed),
        *(("GET", route, 400, None, {"query": {"cursor": "x"}}) for route, _ in listed),
        ("GET", reviews, 200, "rejected", {"query": {"state": "rejected"}}),
        ("GET", reviews, 400, None, {"query": {"state": "done"}}),
        ("GET", reviews, 400, None, {"query": {"stage": "middle"}}),
        ("GET", one, 200, "held", {}),
        ("GET", one, 200, "rejected", {}),
        ("GET", one, 404, None, lost),
        ("POST", f"{one}/claim", 200, "held", {}),
        ("POST", f"{one}/claim", 200, "held", {"body": '{"reviewer": "ada"}'}),
        ("POST", f"{one}/claim", 400, "held", {"body": '{"reviewer": ""}'}),
        ("POST", f"{one}/claim", 404, None, lost),
        ("POST", f"{one}/claim", 409, "rejected", {}),
        *(
            ("POST", f"{one}/{decision}", status, before, looked | more)
            for decision in ("release", "reject")
            for status, before, more in (
                (200, "held", {}),
                (400, "held", {"body": '{"stage": "output"}'}),
                (404, None, lost),
                (409, "claimed", {}),
            )
        ),
    ]
