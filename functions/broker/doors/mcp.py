"""Tools of the Model Context Protocol as calls of the REST API, and what these answer as results of tools.

Source: Model Context Protocol 2026-07-28, "Tools", and its extension `io.modelcontextprotocol/tasks` (SEP-2663).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.errors import BrokerError, InvalidRequest

Json = dict[str, Any]

PROMPT = "run_prompt_"
"""Before the id of a prompt, as the name of its tool."""

TOOL_NAME = "[A-Za-z0-9_-]{1,64}"
"""What hosts take for a tool's name, which is less than the protocol allows; other prompts have `run_prompt`."""

MOST_TEXT = 1_000_000
"""Characters of an answer that are told as a text beside the structured result, which has it as well."""

POLL_MS = 2_000

STATUSES = {
    "queued": "working",
    "running": "working",
    "succeeded": "completed",
    "failed": "completed",
    "blocked": "completed",
    "expired": "completed",
    "canceled": "cancelled",
}
"""Of tasks: `failed` is for errors of the protocol alone, so a job that failed is a result that says so."""

LONGEST_S = 25
"""That a call waits; the REST API has no longer waits either."""

UNSUCCESSFUL = ("failed", "blocked", "expired", "canceled")

WAIT = {
    "type": "integer",
    "minimum": 0,
    "maximum": LONGEST_S,
    "description": "Seconds to wait for the end; the job as it stands is told when they are over.",
}

ID = {"type": "string", "description": "The job's id, as submit_job told it."}

KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "Another call with the same key and the same work gives the same job, for a day.",
}

WORK: Json = {
    "input": {
        "description": "The text of the work, or an object with `messages` (role and content), `text` or `file`.",
        "type": ["string", "object"],
    },
    "task": {"type": "string", "description": "`chat` unless said; such as `embed`, `moderate`, `translate`."},
    "model": {"type": "string", "description": "`auto` unless said, or one that list_models names."},
    "prompt": {"type": "object", "description": "A registered prompt: `id`, `variables`, and perhaps `version`."},
    "parameters": {"type": "object", "description": "Such as `max_output_tokens` and `temperature`."},
    "output_schema": {"type": "object", "description": "JSON Schema of the answer, for an answer in JSON."},
    "routing": {"type": "object", "description": "Such as `objective` (`cost`, `latency`) and `max_cost_usd`."},
    "priority": {"type": "string", "enum": ["interactive", "bulk"]},
    "deadline_seconds": {"type": "integer", "minimum": 1},
    "metadata": {"type": "object", "description": "Texts of your own that the job shows again."},
}
"""What most work needs; whatever else `POST /v1/jobs` takes is taken as well, and checked as there."""


def _schema(properties: Json, *required: str, more: bool = False) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": more}


def _tool(name: str, title: str, about: str, schema: Json, **hints: bool) -> Json:
    annotations = {"title": title, "openWorldHint": False, **hints}
    return {"name": name, "title": title, "description": about, "inputSchema": schema, "annotations": annotations}


TOOLS = (
    _tool(
        "submit_job",
        "Submit a job",
        "Have a model do a piece of work. The job is told at once, with its id; get_job tells how it stands.",
        _schema({**WORK, "idempotency_key": KEY, "wait_seconds": WAIT}, more=True),
        readOnlyHint=False,
        destructiveHint=False,
    ),
    _tool(
        "get_job",
        "Look at a job",
        "How a job stands: its status, its answer once it has ended, what it cost.",
        _schema({"id": ID, "wait_seconds": WAIT}, "id"),
        readOnlyHint=True,
    ),
    _tool(
        "cancel_job",
        "Cancel a job",
        "End a job that has not ended yet.",
        _schema({"id": ID}, "id"),
        readOnlyHint=False,
        destructiveHint=True,
        idempotentHint=True,
    ),
    _tool(
        "estimate",
        "Estimate a job",
        "Which model would do a piece of work, and what it would cost; nothing is run.",
        _schema(WORK, more=True),
        readOnlyHint=True,
    ),
    _tool(
        "list_models",
        "List models",
        "The models there are, with their prices and how they fare.",
        _schema({}),
        readOnlyHint=True,
    ),
    _tool(
        "run_prompt",
        "Run a prompt",
        "Run a registered prompt with values for its variables, and wait for its answer.",
        _schema(
            {
                "id": {"type": "string", "description": "The prompt's."},
                "variables": {"type": "object"},
                "version": {"type": "integer"},
                "label": {"type": "string"},
                "wait_seconds": WAIT,
            },
            "id",
        ),
        readOnlyHint=False,
        destructiveHint=False,
    ),
)


def prompt_tool(prompt: Mapping[str, Any]) -> Json | None:
    """The tool of a prompt, from its row of `GET /prompts`; None of one whose id is no tool's name."""
    name = f"{PROMPT}{prompt['id']}"
    if not re.fullmatch(TOOL_NAME, name):
        return None
    variables = prompt["variables"]
    needed = [each for each, schema in variables.items() if "default" not in schema]
    about = prompt["description"] or f"Run the prompt {prompt['id']}, and wait for its answer."
    schema = _schema(dict(variables), *needed)
    return _tool(name, prompt["id"], about, schema, readOnlyHint=False, destructiveHint=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the REST API."""

    method: str
    resource: str
    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    wait_s: int = 0
    key: str | None = None
    makes_job: bool = False


def call_of(tool: str, arguments: Mapping[str, Any]) -> Call | None:
    """What a tool does; None where there is no such tool.

    Raises:
        InvalidRequest: an argument is not as the tool's schema has it.
    """
    given = dict(arguments)
    if tool == "submit_job":
        key, wait = given.pop("idempotency_key", None), _wait(given, 0)
        if key is not None and not isinstance(key, str):
            raise _fault("idempotency_key", "it has to be a text")
        return Call("POST", "/jobs", body=given, wait_s=wait, key=key, makes_job=True)
    if tool.startswith(PROMPT):
        path = {"id": tool.removeprefix(PROMPT)}
        return Call("POST", RUN, path, {"variables": given}, LONGEST_S, makes_job=True)
    if tool == "estimate":
        return Call("POST", "/estimates", body=given)
    taken: dict[str, tuple[str, ...]] = {
        "run_prompt": ("id", "variables", "version", "label", "wait_seconds"),
        "get_job": ("id", "wait_seconds"),
        "cancel_job": ("id",),
        "list_models": (),
    }
    if tool not in taken:
        return None
    for name in given:
        if name not in taken[tool]:
            raise _fault(name, "there is no such field")
    if tool == "list_models":
        return Call("GET", "/models")
    wait = _wait(given, LONGEST_S if tool == "run_prompt" else 0)
    path = {"id": _id(given)}
    if tool == "run_prompt":
        return Call("POST", RUN, path, given, wait, makes_job=True)
    if tool == "get_job":
        return Call("GET", "/jobs/{id}", path, wait_s=wait)
    return Call("POST", "/jobs/{id}/cancel", path)


RUN = "/prompts/{id}/run"


def _wait(given: Json, default: int) -> int:
    wait = given.pop("wait_seconds", default)
    if isinstance(wait, bool) or not isinstance(wait, int) or not 0 <= wait <= LONGEST_S:
        raise _fault("wait_seconds", f"it has to be a whole number from 0 to {LONGEST_S}")
    return wait


def _id(given: Json) -> str:
    found = given.pop("id", None)
    if not isinstance(found, str) or not found:
        raise _fault("id", "it has to be a text, and not empty")
    return found


def _fault(name: str, words: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {words}", code="invalid_field", param=name)


def result_of(body: Json, *, went_well: bool = True) -> Json:
    """What a call answered, as the result of a tool. A job that did not succeed is one that failed."""
    failed = not went_well or (body.get("object") == "job" and body["status"] in UNSUCCESSFUL)
    return {"content": [{"type": "text", "text": _told(body)}], "structuredContent": body, "isError": failed}


def error_of(error: BrokerError) -> Json:
    """An error, as the result of a tool: a model that reads it may do better."""
    facts: Json = {**error.facts(), "param": error.param, **error.beside}
    if error.retry_after is not None:
        facts["retry_after_seconds"] = error.retry_after
    text = f"{error.code}: {error.message}"
    return {"content": [{"type": "text", "text": text}], "structuredContent": {"error": facts}, "isError": True}


def _told(body: Json) -> str:
    """The answer itself, where there is one in words; else all that is known."""
    output = body.get("output")
    text = output.get("text") if isinstance(output, dict) else None
    told = text if isinstance(text, str) and text else json.dumps(body, ensure_ascii=False)
    if len(told) <= MOST_TEXT:
        return told
    return "What was answered is too long for a text here: it is in the structured content."


def task_of(job: Json, ttl_ms: int) -> Json:
    """A job as a task, whose answer is kept for so long after it was accepted; once it has ended, with its result."""
    status = STATUSES[job["status"]]
    task: Json = {
        "taskId": job["id"],
        "status": status,
        "statusMessage": f"The job is {job['status']}.",
        "createdAt": job["created_at"],
        "lastUpdatedAt": job["ended_at"] or job["started_at"] or job["created_at"],
        "ttlMs": ttl_ms,
        "pollIntervalMs": POLL_MS,
    }
    return task | ({"result": result_of(job)} if status == "completed" else {})
