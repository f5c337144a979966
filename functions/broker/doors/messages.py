"""Anthropic's `POST /v1/messages`: a body as a job of the task `chat`, and an answer as a `message`.

Source: Anthropic's API reference, "Messages" and "Count tokens in a Message", and the types of its Python package.
"""

import json
from typing import Any

from broker.doors.anthropic import mark_of
from broker.doors.message_blocks import Talk, talk_of
from broker.doors.openai import public_id, text_of
from broker.doors.reading import Asked, Fields, Json, ours, refuse
from broker.doors.thoughts import blocks_of
from broker.prompt_marks import MARK

PREFIX = "msg_"

USER = "anthropic.user_id"
"""In a job's metadata: whom `metadata.user_id` named. Nothing follows from it here."""

ONE_CALL = "anthropic.disable_parallel_tool_use"
"""The same, of a job whose answer is to have one call of a tool at most: no more is given, whatever the model did."""

PARAMETERS = {"temperature": "temperature", "top_p": "top_p", "stop_sequences": "stop"}

PLACES = {
    "input": "messages",
    "input.messages": "messages",
    "input.tools": "tools",
    "input.tool_choice": "tool_choice",
    "input.tool_choice.function.name": "tool_choice.name",
    "output_schema": "output_config.format.schema",
    "routing.regions": "inference_geo",
    f"metadata.{USER}": "metadata.user_id",
    "parameters.max_output_tokens": "max_tokens",
    "parameters.reasoning": "thinking",
    "parameters.reasoning.effort": "output_config.effort",
    "parameters.reasoning.max_tokens": "thinking.budget_tokens",
    **{f"parameters.{ours}": theirs for theirs, ours in PARAMETERS.items()},
}

ADAPTIVE = "high"
"""The effort of adaptive thinking, unless it is said."""

REASONS = {"length": "max_tokens", "tool_calls": "tool_use"}
"""Why an answer ended; all others are `end_turn`: which of several texts stopped a model, no provider has to say."""

INSTEAD = {"refused": "refusal", "truncated": "max_tokens"}
"""Errors of jobs that Anthropic tells as an answer in which nothing is said, and why it ended."""


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    return _asked(fields, fields.need("max_tokens"))


def counted_job_of(body: Any) -> Asked:
    """The same of what is only to be counted, which needs no `max_tokens`."""
    fields = Fields(body)
    return _asked(fields, fields.take("max_tokens"))


def _asked(fields: Fields, limit: Any) -> Asked:
    talk = talk_of(fields)
    job: Json = {"model": fields.need("model"), "input": {"messages": talk.messages}}
    parameters = {} if limit is None else {"max_output_tokens": limit}
    parameters |= {ours: value for name, ours in PARAMETERS.items() if (value := fields.take(name)) is not None}
    _output(fields, job, reasoning := _thinking(fields))
    if reasoning:
        parameters["reasoning"] = reasoning
    if parameters:
        job["parameters"] = parameters
    _tools(fields, job, talk.places)
    if metadata := _metadata(fields) | _choice(fields, job):
        job["metadata"] = metadata
    if (geo := fields.text("inference_geo")) not in (None, "global"):
        job["routing"] = {"regions": [geo]}
    _mark_all(talk, mark_of(fields))
    job |= ours(fields)
    fields.only("service_tier", "auto", "standard_only")
    fields.only("speed", "standard")
    streams = fields.truth("stream")
    fields.end()
    return Asked(job, PLACES | talk.places, streams=streams)


def _mark_all(talk: Talk, mark: Json) -> None:
    """Put the mark of a whole body at its end, which moves on with each turn."""
    if mark and talk.messages and MARK not in talk.messages[-1]:
        talk.messages[-1] |= mark
        talk.note(MARK, MARK)


def _tools(fields: Fields, job: Json, places: dict[str, str]) -> None:
    tools = []
    for number, (place, given) in enumerate(fields.each("tools")):
        tool = Fields(given, place)
        if tool.take("type") not in (None, "custom"):
            refuse(f"{place}.type", "only custom is supported: a tool that the client runs itself")
        function = {"name": tool.need("name"), "parameters": tool.need("input_schema")}
        for name in ("description", "strict"):
            if (value := tool.take(name)) is not None:
                function[name] = value
        mark = mark_of(tool)
        tool.only("allowed_callers", ["direct"])
        tool.only("defer_loading", False)
        tool.only("eager_input_streaming", True, False)  # an answer comes whole in any case
        tool.only("input_examples", [])
        tool.end()
        tools.append({"type": "function", "function": function} | mark)
        places[f"input.tools.{number}"] = places[f"input.tools.{number}.function"] = place
        places[f"input.tools.{number}.function.parameters"] = f"{place}.input_schema"
    if tools:
        job["input"]["tools"] = tools


def _choice(fields: Fields, job: Json) -> Json:
    """Put which tool is to be used into the job; gives what its metadata keep of it."""
    given = fields.take("tool_choice")
    if given is None:
        return {}
    choice = Fields(given, "tool_choice")
    match choice.need("type"):
        case "auto" | "none" as word:
            job["input"]["tool_choice"] = word
        case "any":
            job["input"]["tool_choice"] = "required"
        case "tool":
            job["input"]["tool_choice"] = {"type": "function", "function": {"name": choice.need("name")}}
        case _:
            refuse("tool_choice.type", "only auto, any, tool or none is supported")
    one = choice.truth("disable_parallel_tool_use")
    choice.end()
    return {ONE_CALL: "true"} if one else {}


def _metadata(fields: Fields) -> Json:
    given = fields.take("metadata")
    if given is None:
        return {}
    metadata = Fields(given, "metadata")
    user = metadata.text("user_id")
    metadata.end()
    return {} if user is None else {USER: user}


def _output(fields: Fields, job: Json, reasoning: Json) -> None:
    """How the answer is to be: its form, and with how much effort."""
    given = fields.take("output_config")
    if given is None:
        return
    output = Fields(given, "output_config")
    form, effort = output.take("format"), output.take("effort")
    output.end()
    if effort is not None and reasoning.get("effort") != "none":
        reasoning["effort"] = effort
    if form is not None:
        wanted = Fields(form, "output_config.format")
        if wanted.need("type") != "json_schema":
            refuse("output_config.format.type", "only json_schema is supported")
        job["output_schema"] = wanted.need("schema")
        wanted.end()


def _thinking(fields: Fields) -> Json:
    """How much the model is to think; nothing where that is left to it."""
    given = fields.take("thinking")
    if given is None:
        return {}
    thinking, found = Fields(given, "thinking"), Json()
    match thinking.need("type"):
        case "disabled":
            found = {"effort": "none"}
        case "enabled":
            found = {"max_tokens": thinking.need("budget_tokens"), "summary": "auto"}
        case "adaptive":
            found = {"effort": ADAPTIVE, "summary": "auto"}
        case _:
            refuse("thinking.type", "only enabled, adaptive or disabled is supported")
    thinking.only("display", "summarized")
    thinking.end()
    return found


def message_of(view: Json) -> Json:
    """The view of a finished job as a `message`."""
    output, metadata = view["output"] or {}, view["metadata"]
    calls = output.get("tool_calls", [])
    content = blocks_of(output.get("reasoning", ()))
    if text := text_of(output):
        content.append({"type": "text", "text": text})
    for call in calls[:1] if ONE_CALL in metadata else calls:
        function = call["function"]
        used = {"id": call["id"], "name": function["name"], "input": json.loads(function["arguments"])}
        content.append({"type": "tool_use", **used})
    reason = REASONS.get(output.get("finish_reason", ""), "end_turn")
    return _message(view, content, reason)


def message_instead(view: Json) -> Json | None:
    """The `message` of a job that ended without an answer; None where Anthropic tells that as an error."""
    reason = INSTEAD.get((view["error"] or {}).get("type", ""))
    return None if reason is None else _message(view, [], reason)


def _message(view: Json, content: list[Json], reason: str) -> Json:
    usage = view["usage"]
    read, written = usage["cached_tokens"], usage["cache_write_tokens"]
    return {
        "id": public_id(PREFIX, view["id"]),
        "type": "message",
        "role": "assistant",
        "model": view["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage["input_tokens"] - read - written,
            "output_tokens": usage["output_tokens"],
            "output_tokens_details": {"thinking_tokens": usage["reasoning_tokens"]},
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "service_tier": "standard",
        },
    }
