"""Writes the examples of the OpenAPI document, and the codes of errors, by what the tests' calls send and are answered.

`python -m tests.contract.openapi_examples`, and then `make schemas`.
"""

import json
import re
from typing import Any

from broker.contract.common import EXAMPLE_JOB
from broker.schemas import text

from tests.contract.openapi_calls import calls
from tests.contract.stack import ROOT
from tests.contract.test_openapi_replies import called

FILE = ROOT / "functions" / "broker" / "contract" / "examples.json"

HEX, TIME, SECONDS = EXAMPLE_JOB.removeprefix("job_"), "2025-11-01T12:26:40.000Z", 1_762_000_000

LONGEST = 60_000
"""Characters of a body that is an example still."""


def examples() -> dict[str, Any]:
    """By method and path: the first body that was taken, the first reply of each success, each error's codes."""
    found: dict[str, Any] = {}
    for method, resource, status, before, more in calls():
        reply, sent = called(method, resource, before, dict(more))
        shown = found.setdefault(f"{method} {resource}", {"replies": {}, "codes": {}})
        body = json.loads(reply.body) if isinstance(reply.body, str) and _is_json(reply) else reply.body
        if status >= 400 and status != 410:
            codes = shown["codes"].setdefault(str(status), [])
            code = str(body["error"].get("code") or body["error"]["type"])  # of Anthropic's form, which has no codes
            codes += [code] if code not in codes else []
            if "jsonrpc" in body:  # the route's own form of an error
                shown["replies"].setdefault(str(status), body)
        elif isinstance(body, dict) and len(json.dumps(body)) < LONGEST:
            shown["replies"].setdefault(str(status), steady(body))
        asked = sent.get("body")
        if method != "GET" and status < 400 and asked and "body" not in shown and asked.startswith("{"):
            shown["body"] = steady(json.loads(asked))
    return found


def _is_json(reply: Any) -> bool:
    return str(reply.headers.get("content-type", "application/json")).startswith("application/json")


def steady(value: Any, name: str = "") -> Any:
    """The same with ids and times that are always these, so that the file changes only where a form does."""
    match value:
        case dict():
            return {key: steady(each, key) for key, each in value.items()}
        case list():
            return [steady(each, name) for each in value[:3]]
        case bool() | None:
            return value
        case int() if value > 1_600_000_000:
            return SECONDS
        case str() if name.endswith("cursor"):
            return "eyJpZCI6ICJqb2JfMCJ9"
        case str() if value.startswith("whsec_"):
            return "whsec_…AAA=" if "…" in value else f"whsec_{'A' * 43}="
        case str():
            known = re.sub(r"[0-9a-f]{32}", HEX, value)
            return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", TIME, known)
    return value


if __name__ == "__main__":
    FILE.write_text(text(examples()), encoding="utf-8")
    print(FILE)
