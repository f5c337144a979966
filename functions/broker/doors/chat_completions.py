"""OpenAI's `POST /v1/chat/completions`: a body as a job of the task `chat`, and an answer as `chat.completion`.

Source: OpenAI's API reference, "Create chat completion", and the types of its Python package.
"""

from typing import Any

from broker.doors.openai import (
    BREAKPOINT,
    SAID_PLACES,
    breakpoint_of,
    cached_details,
    calls_of,
    lane,
    metadata_of,
    prompt_cache,
    public_id,
    schema_of,
    seconds,
    text_of,
    tier_of,
    told_back,
)
from broker.doors.reading import Asked, Fields, Json, ours, refuse

PREFIX = "chatcmpl-"

PLACES = {
    "input": "messages",
    "input.messages": "messages",
    "input.tools": "tools",
    "input.tool_choice": "tool_choice",
    "parameters": "",
    "output_schema": "response_format.json_schema.schema",
    **SAID_PLACES,
}


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    job: Json = {"model": fields.need("model"), "input": {"messages": _marked(fields.need("messages"))}}
    for name in ("tools", "tool_choice"):
        if (value := fields.take(name)) is not None:
            job["input"][name] = value
    parameters, places = _parameters(fields)
    if parameters:
        job["parameters"] = parameters
    _response_format(fields, job)
    told = told_back(fields)
    job |= lane(fields) | told | prompt_cache(fields, told) | ours(fields)
    fields.only("n", 1)
    streams, usage = _stream(fields)
    fields.only("store", False, True)  # each answer is kept, and can be asked for again, for as long as the job
    fields.only("logprobs", False)
    fields.only("top_logprobs", 0)
    fields.only("frequency_penalty", 0, 0.0)
    fields.only("presence_penalty", 0, 0.0)
    fields.only("logit_bias", {})
    fields.only("modalities", ["text"])
    fields.end()
    return Asked(job, PLACES | places, streams=streams, tells_usage=usage)


def _marked(messages: Any) -> Any:
    """Messages whose parts have the marks of a job in place of OpenAI's; all else of them is the job's own to check."""
    if not isinstance(messages, list):
        return messages
    return [_marked_in(each, f"messages.{number}.content") for number, each in enumerate(messages)]


def _marked_in(message: Any, place: str) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or not any(isinstance(each, dict) and BREAKPOINT in each for each in content):
        return message
    return {**message, "content": [_marked_part(each, f"{place}.{number}") for number, each in enumerate(content)]}


def _marked_part(part: Any, place: str) -> Any:
    if not isinstance(part, dict):
        return part
    mark = breakpoint_of(Fields({BREAKPOINT: part.get(BREAKPOINT)}, place))
    return {name: value for name, value in part.items() if name != BREAKPOINT} | mark


def _parameters(fields: Fields) -> tuple[Json, dict[str, str]]:
    found = {name: value for name in ("temperature", "top_p", "seed") if (value := fields.take(name)) is not None}
    stop = fields.take("stop")
    if stop is not None:
        found["stop"] = [stop] if isinstance(stop, str) else stop
    limits = {
        name: limit for name in ("max_completion_tokens", "max_tokens") if (limit := fields.take(name)) is not None
    }
    if len({repr(each) for each in limits.values()}) > 1:
        refuse("max_tokens", "max_completion_tokens says something else", "invalid_field")
    places = {f"parameters.{name}": name for name in (*found, "stop")}
    if (effort := fields.take("reasoning_effort")) is not None:
        found["reasoning"] = {"effort": effort}
        places["parameters.reasoning.effort"] = places["parameters.reasoning"] = "reasoning_effort"
    for name, limit in limits.items():
        found["max_output_tokens"] = limit
        places["parameters.max_output_tokens"] = name
    return found, places


def _stream(fields: Fields) -> tuple[bool, bool]:
    """Whether a stream is wanted, and whether it is to tell the usage."""
    streams, given = fields.truth("stream"), fields.take("stream_options")
    if given is None:
        return streams, False
    if not streams:
        refuse("stream_options", "it goes with stream", "invalid_field")
    options = Fields(given, "stream_options")
    usage = options.truth("include_usage")
    options.only("include_obfuscation", False)
    options.end()
    return streams, usage


def _response_format(fields: Fields, job: Json) -> None:
    given = fields.take("response_format")
    if given is None:
        return
    form = Fields(given, "response_format")
    match form.take("type"):
        case "text":
            pass
        case "json_object":
            job["output_schema"] = {"type": "object"}
        case "json_schema":
            schema_of(Fields(form.need("json_schema"), "response_format.json_schema"), job)
        case _:
            refuse("response_format.type", "only text, json_object or json_schema is supported")
    form.end()


def completion_of(view: Json, asked: Json) -> Json:
    """A finished job's view, and its request as it is kept, as a `chat.completion`."""
    output, usage = view["output"], view["usage"]
    metadata, said = metadata_of(view)
    message: Json = {"role": "assistant", "content": text_of(output) or None, "refusal": None, "annotations": []}
    if calls := calls_of(view):
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    return {
        "id": public_id(PREFIX, view["id"]),
        "object": "chat.completion",
        "created": seconds(view["created_at"]),
        "model": view["model"],
        "choices": [{"index": 0, "finish_reason": output["finish_reason"], "logprobs": None, "message": message}],
        "usage": {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["input_tokens"] + usage["output_tokens"],
            "completion_tokens_details": {"reasoning_tokens": usage["reasoning_tokens"]},
            "prompt_tokens_details": cached_details(usage),
        },
        "service_tier": tier_of(asked),
        "metadata": metadata,
        **said,
    }
