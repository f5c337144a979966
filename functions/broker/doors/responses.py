"""OpenAI's `POST /v1/responses`: a body as a job of the task `chat`, and a job as a `response`.

Source: OpenAI's API reference, "Responses", and the types of its Python package.
"""

from typing import Any

from broker.doors.openai import (
    ONE_CALL,
    SAID_PLACES,
    cached_details,
    calls_of,
    job_id_of,
    lane,
    metadata_of,
    prompt_cache,
    public_id,
    retention_of,
    schema_of,
    seconds,
    text_of,
    tier_of,
    told_back,
)
from broker.doors.reading import Asked, Fields, Json, ours, refuse
from broker.doors.response_items import begins_with_instructions, messages_of
from broker.doors.stored_prompts import prompt_of
from broker.doors.thoughts import asked_of_openai, reasoning_item

PREFIX = "resp_"

INCLUDED = ("reasoning.encrypted_content", "message.input_image.image_url")
"""What `include` may ask for: it is there in any case."""

NO_JOB = "none"
"""In the place of an id that is no response's; no job has such an id."""

SHORT_S = 600
"""How long what came with `store: false` is kept, and may take."""

PLACES = {
    "input": "input",
    "input.tools": "tools",
    "input.tool_choice": "tool_choice",
    "parameters": "",
    "parameters.temperature": "temperature",
    "parameters.top_p": "top_p",
    "parameters.max_output_tokens": "max_output_tokens",
    "parameters.reasoning": "reasoning",
    "output_schema": "text.format.schema",
    "conversation_id": "conversation",
    "previous_job_id": "previous_response_id",
    **SAID_PLACES,
}

STATUSES = {
    "queued": "queued",
    "running": "in_progress",
    "succeeded": "completed",
    "failed": "failed",
    "blocked": "failed",
    "canceled": "cancelled",
    "expired": "failed",
}
"""A job's status in OpenAI's words; `incomplete` is told by why it ended."""

CODES = {
    **dict.fromkeys(("invalid_request", "not_found", "forbidden", "rejected", "context_exceeded"), "invalid_prompt"),
    **dict.fromkeys(("blocked", "refused"), "invalid_prompt"),
    "throttled": "rate_limit_exceeded",
}
"""The codes of a response's error, which are few, by a job's type of error; all others are `server_error`."""

CUT = {"truncated": "max_output_tokens", "refused": "content_filter"}
"""Errors of jobs that a response tells as an answer that is not whole."""


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    context: Json = {}
    if begins_with_instructions(body):
        context["instructions"] = int(body.get("instructions") is not None)
    messages, places = messages_of(fields)
    job: Json = {}
    if (model := fields.take("model")) is not None:
        job["model"] = model
    if prompt := prompt_of(fields):
        job["prompt"] = prompt
    elif not messages:
        refuse("input", "it is needed", "invalid_field")
    if messages:
        job["input"] = {"messages": messages}
    if tools := [_tool(place, tool) for place, tool in fields.each("tools")]:
        job.setdefault("input", {})["tools"] = tools
        places |= {f"input.tools.{number}.function": f"tools.{number}" for number in range(len(tools))}
    if (choice := fields.take("tool_choice")) is not None:
        job.setdefault("input", {})["tool_choice"] = _choice(choice)
    names = ("temperature", "top_p", "max_output_tokens")
    parameters = {name: value for name in names if (value := fields.take(name)) is not None}
    if reasoning := asked_of_openai(fields):
        parameters["reasoning"] = reasoning
    if parameters:
        job["parameters"] = parameters
    _text(fields, job)
    _conversation(fields, job)
    if _truncation(fields) == "auto":
        context["strategy"] = "truncate_oldest"
    told = told_back(fields)
    job |= lane(fields) | told | prompt_cache(fields, told) | ours(fields)
    background = fields.truth("background")
    if fields.take("store") is False:
        if background:
            refuse("store", "an answer that is asked for later has to be kept", "invalid_field")
        job |= {"ttl_seconds": SHORT_S, "deadline_seconds": SHORT_S}
        context["continuable"] = False
    if context:
        job["context"] = context
    streams = fields.truth("stream")
    if streams and background:
        refuse("stream", "an answer that is asked for later is not streamed")
    fields.only("stream_options", {"include_obfuscation": False}, {})
    for place, name in fields.each("include"):
        if name not in INCLUDED:
            refuse(place, f"only {', '.join(INCLUDED)} is supported")
    fields.only("top_logprobs", 0)
    fields.end()
    return Asked(job, PLACES | places, waits=not background, streams=streams)


def _tool(place: str, given: Any) -> Json:
    tool = Fields(given, place)
    if tool.need("type") != "function":
        refuse(f"{place}.type", "only function is supported")
    function = {"name": tool.need("name")}
    for name in ("description", "parameters", "strict"):
        if (value := tool.take(name)) is not None:
            function[name] = value
    tool.end()
    return {"type": "function", "function": function}


def _choice(given: Any) -> Any:
    if isinstance(given, str):
        return given
    choice = Fields(given, "tool_choice")
    if choice.need("type") != "function":
        refuse("tool_choice.type", "only function is supported")
    named = {"type": "function", "function": {"name": choice.need("name")}}
    choice.end()
    return named


def _text(fields: Fields, job: Json) -> None:
    text = Fields(fields.take("text") or {}, "text")
    text.only("verbosity", "medium")
    given = text.take("format")
    text.end()
    if given is None:
        return
    form = Fields(given, "text.format")
    match form.take("type"):
        case "text":
            form.end()
        case "json_object":
            job["output_schema"] = {"type": "object"}
            form.end()
        case "json_schema":
            schema_of(form, job)
        case _:
            refuse("text.format.type", "only text, json_object or json_schema is supported")


def _conversation(fields: Fields, job: Json) -> None:
    given = fields.take("conversation")
    if isinstance(given, dict):
        named = Fields(given, "conversation")
        given = named.need("id")
        named.end()
    if given is not None:
        job["conversation_id"] = given
    previous = fields.text("previous_response_id")
    if previous is None:
        return
    if given is not None:
        why = "a response goes on from another one or in a conversation, not both"
        refuse("previous_response_id", why, "mutually_exclusive_parameters")
    job["previous_job_id"] = job_id_of(PREFIX, previous) or NO_JOB


def _truncation(fields: Fields) -> Any:
    given = fields.take("truncation")
    if given not in (None, "auto", "disabled"):
        refuse("truncation", "only auto or disabled is supported")
    return given


def response_of(view: Json, asked: Json) -> Json:
    """A job's view, and its request as it is kept (empty where it is gone), as a `response`."""
    error, output = view["error"] or {}, view["output"] or {}
    cut = CUT.get(error.get("type", "")) or ("max_output_tokens" if output.get("finish_reason") == "length" else None)
    status = "incomplete" if cut else STATUSES[view["status"]]
    metadata, said = metadata_of(view)
    given, parameters = asked.get("input", {}), asked.get("parameters", {})
    reasoning = parameters.get("reasoning", {})
    return {
        "id": public_id(PREFIX, view["id"]),
        "object": "response",
        "created_at": seconds(view["created_at"]),
        "completed_at": seconds(view["ended_at"]) if status == "completed" else None,
        "status": status,
        "error": _error(error) if status == "failed" else None,
        "incomplete_details": {"reason": cut} if cut else None,
        "model": view["model"],
        "output": _items(view, error, status, shown=bool(reasoning.get("summary"))),
        "reasoning": {name: reasoning.get(name) for name in ("effort", "summary")},
        "usage": _usage(view["usage"]) if view["ended_at"] else None,
        "tools": [{"type": "function", **tool["function"]} for tool in given.get("tools", [])],
        "tool_choice": _told_choice(given.get("tool_choice", "auto")),
        "parallel_tool_calls": ONE_CALL not in view["metadata"],
        "text": {"format": _format(asked.get("output_schema"))},
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "max_output_tokens": parameters.get("max_output_tokens"),
        "truncation": "auto" if asked.get("context", {}).get("strategy") == "truncate_oldest" else "disabled",
        "conversation": {"id": view["conversation_id"]} if view["conversation_id"] else None,
        "previous_response_id": public_id(PREFIX, asked["previous_job_id"]) if "previous_job_id" in asked else None,
        "store": asked.get("context", {}).get("continuable", True),
        "service_tier": tier_of(asked),
        "prompt_cache_retention": retention_of(asked),
        "metadata": metadata,
        **said,
    }


def _error(error: Json) -> Json:
    code = CODES.get(error["type"], "server_error")
    return {"code": code, "message": error["message"], "type": error["type"], "param": error.get("param")}


def _items(view: Json, error: Json, status: str, *, shown: bool) -> list[Json]:
    """What was thought and said, and the calls of tools; a refusal is said in its own words."""
    own, output = view["id"].removeprefix("job_"), view["output"]
    done = "incomplete" if status == "incomplete" else "completed"
    parts: list[Json] = []
    if output and (text := text_of(output)):
        parts.append({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    elif error.get("type") == "refused":
        parts.append({"type": "refusal", "refusal": error["message"]})
    thoughts = (output or {}).get("reasoning")
    items: list[Json] = [reasoning_item(own, thoughts, shown=shown)] if thoughts else []
    if parts:
        items.append({"type": "message", "id": f"msg_{own}", "role": "assistant", "status": done, "content": parts})
    for number, call in enumerate(calls_of(view), 1):
        function = call["function"]
        known = {"name": function["name"], "arguments": function["arguments"], "status": done}
        items.append({"type": "function_call", "id": f"fc_{own}_{number}", "call_id": call["id"], **known})
    return items


def _usage(usage: Json) -> Json:
    return {
        "input_tokens": usage["input_tokens"],
        "input_tokens_details": cached_details(usage),
        "output_tokens": usage["output_tokens"],
        "output_tokens_details": {"reasoning_tokens": usage["reasoning_tokens"]},
        "total_tokens": usage["input_tokens"] + usage["output_tokens"],
    }


def _told_choice(choice: Any) -> Any:
    return choice if isinstance(choice, str) else {"type": "function", "name": choice["function"]["name"]}


def _format(schema: Json | None) -> Json:
    if schema is None:
        return {"type": "text"}
    if schema == {"type": "object"}:
        return {"type": "json_object"}
    return {"type": "json_schema", "name": schema.get("title", "answer"), "schema": schema, "strict": True}
