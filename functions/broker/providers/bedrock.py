"""Amazon Bedrock's Converse: one form for all of its chat models.

Source: Amazon Bedrock API Reference, `Converse`. It takes no OpenAI forms, so messages and tools are rewritten both
ways; its turns alternate and begin with the user's. What it cannot take (`seed`) is left out.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NoReturn

from botocore import exceptions as broken

from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    InvalidRequest,
    Refused,
    Unavailable,
)
from broker.providers import aws, structured
from broker.providers.base import Answer, Call
from broker.tokens import estimate

Json = dict[str, Any]

FINISHES = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""
REFUSALS = frozenset({"guardrail_intervened", "content_filtered"})
MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})

PARAMETERS = {
    "max_output_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
}

CHOICES: dict[str, Json] = {"auto": {"auto": {}}, "none": {"auto": {}}, "required": {"any": {}}}
"""OpenAI's words for the choice of a tool. Converse cannot forbid tools that it was told of."""

ERRORS: dict[str, aws.Row] = {
    "ResourceNotFoundException": (InvalidRequest, "does not know the model"),
    "ModelTimeoutException": (Unavailable, "says that the model took too long"),
    "ModelErrorException": (Unavailable, "says that the model failed"),
    "ModelNotReadyException": (Unavailable, "says that the model is not ready"),
}
"""Bedrock's own error codes; see `aws.ERRORS`."""

PAID_ERRORS = frozenset({"ModelTimeoutException"})

TOO_LONG = ("too long", "maximum context", "input length")
"""A prompt beyond the window is a ValidationException like any other, so the message is read; it goes nowhere."""

_OPENING = "Begin."
"""Said by the user where a conversation begins otherwise: Converse takes no other beginning."""


def make_client(region: str | None, timeout: float) -> Any:
    """Bedrock's run-time client; see `aws.make_client`."""
    return aws.make_client("bedrock-runtime", region, timeout)


class Bedrock:
    """Bedrock's chat models. `Call.endpoint` is a region; requests are signed as the function's own role."""

    tasks = frozenset({"chat"})

    def __init__(self, client: Callable[[str | None, float], Any] = make_client) -> None:
        """Keep the way to make clients; each is kept for its region and timeout, of which models have few."""
        self._client = lru_cache(maxsize=8)(client)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        if call.task not in self.tasks:
            raise InvalidRequest("The model's provider does not do this task.", code="unsupported_task", param="task")
        request = _request(call)
        try:
            client = self._client(call.endpoint, call.timeout)
        except (broken.BotoCoreError, ValueError):
            raise Unavailable("Bedrock has no such region or endpoint.", code="bad_endpoint") from None
        try:
            reply = client.converse(**request)
        except broken.ClientError as error:
            raise _rejected(error.response) from None
        except (broken.BotoCoreError, broken.HTTPClientError) as error:
            raise aws.lost("Bedrock", error) from None
        except aws.UNREADABLE:
            _bad("Bedrock's reply is not in the form of Converse.")
        return _answer(call, request, reply)


def _rejected(reply: Any) -> BrokerError:
    told = reply.get("Error", {})
    code = str(told.get("Code", ""))
    if code == "ValidationException" and any(words in str(told.get("Message")).lower() for words in TOO_LONG):
        return ContextExceeded("The prompt is longer than the model's context window.")
    error = aws.rejected("Bedrock", reply, ERRORS)
    error.maybe_paid = error.maybe_paid or code in PAID_ERRORS
    return error


def _request(call: Call) -> Json:
    system, turns = _turns(call)
    if call.output_schema is not None:
        told = structured.repair_instruction if call.repair else structured.instruction
        system.append({"text": told(call.output_schema)})
    request: Json = {"modelId": call.model, "messages": turns}
    if system:
        request["system"] = system
    inference = {
        name: call.parameters[ours] for ours, name in PARAMETERS.items() if call.parameters.get(ours) is not None
    }
    if inference:
        request["inferenceConfig"] = inference
    if tools := _tools(call):
        request["toolConfig"] = tools
    return request


def _turns(call: Call) -> tuple[list[Json], list[Json]]:
    """System blocks and turns; turns of one role that follow each other are one."""
    given = call.input.get("messages")
    if not given:
        text = call.input.get("text")
        given = [{"role": "user", "content": each} for each in ([text] if isinstance(text, str) else text or [])]
    if not given:
        raise InvalidRequest("The request has no text.", code="no_input", param="input")
    system: list[Json] = []
    turns: list[Json] = []
    for place, message in enumerate(given):
        where = f"input.messages.{place}"
        blocks = _texts(message.get("content"), where)
        if message["role"] in ("system", "developer"):
            system += blocks
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        if message["role"] == "tool":
            result = {"toolUseId": message.get("tool_call_id"), "content": blocks or [{"text": "(no output)"}]}
            blocks = [{"toolResult": result}]
        blocks += [_tool_use(each, where) for each in message.get("tool_calls") or []]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [{"text": _OPENING}]})
    return system, turns


def _texts(content: Any, where: str) -> list[Json]:
    """Text blocks; empty ones are left out, as the service takes none."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    if any(part.get("type") != "text" or not isinstance(part.get("text"), str) for part in parts):
        message = "Only text can be sent to this model."
        raise InvalidRequest(message, code="unsupported_content", param=f"{where}.content")
    return [{"text": part["text"]} for part in parts if part["text"].strip()]


def _tool_use(given: Any, where: str) -> Json:
    try:
        function = given["function"]
        use = {"toolUseId": given["id"], "name": function["name"], "input": structured.loads(function["arguments"])}
    except (KeyError, TypeError, ValueError):
        message = "A tool call has no id, no function or no JSON arguments."
        raise InvalidRequest(message, code="invalid_tool_call", param=f"{where}.tool_calls") from None
    return {"toolUse": use}


def _tools(call: Call) -> Json | None:
    choice, tools = call.input.get("tool_choice"), call.input.get("tools")
    turns = call.input.get("messages") or []
    # A conversation that has used tools must name them even where no more calls are wanted.
    if not tools or (choice == "none" and not any(turn.get("tool_calls") for turn in turns)):
        return None
    try:
        specs = [{"toolSpec": _spec(tool["function"])} for tool in tools]
        config: Json = {"tools": specs}
        if isinstance(choice, dict):
            config["toolChoice"] = {"tool": {"name": choice["function"]["name"]}}
        elif choice is not None:
            config["toolChoice"] = CHOICES[choice]
    except (KeyError, TypeError):
        message = "Tools and their choice have to be in the form of OpenAI's functions."
        raise InvalidRequest(message, code="invalid_tools", param="input.tools") from None
    return config


def _spec(function: Json) -> Json:
    spec: Json = {"name": function["name"], "inputSchema": {"json": function.get("parameters") or {"type": "object"}}}
    return spec | ({"description": function["description"]} if function.get("description") else {})


def _answer(call: Call, request: Json, reply: Any) -> Answer:
    reason = reply.get("stopReason")
    if reason in REFUSALS:
        raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
    if reason in MALFORMED:
        _bad("The model's answer is malformed.")
    blocks = ((reply.get("output") or {}).get("message") or {}).get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        _bad("Bedrock's reply has no message.")
    text = "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
    tool_calls = list(_tool_calls(block["toolUse"] for block in blocks if "toolUse" in block))
    if not text.strip() and not tool_calls:
        _bad("The model's answer is empty.", code="empty_answer")
    finish = FINISHES.get(str(reason), "tool_calls" if tool_calls else "stop")
    output: Json = {"text": text, "finish_reason": finish}
    if tool_calls:
        output["tool_calls"] = tool_calls
    elif call.output_schema is not None:
        output["json"] = structured.answer(text, call.output_schema, finish)
    try:
        structured.check_storable(output)
    except ValueError:
        _bad("The model's answer is not text.")
    usage, meta = reply.get("usage") or {}, reply.get("ResponseMetadata", {})
    said = text + "".join(each["function"]["arguments"] for each in tool_calls)
    return Answer(
        output,
        input_tokens=_used(usage.get("inputTokens"), json.dumps(request, ensure_ascii=False)),
        output_tokens=_used(usage.get("outputTokens"), said),
        finish_reason=finish,
        facts={"request_id": meta["RequestId"][:128]} if meta.get("RequestId") else {},
    )


def _tool_calls(uses: Iterable[Any]) -> Iterable[Json]:
    """The calls in OpenAI's form: arguments are JSON as a text."""
    for use in uses:
        try:
            function = {"name": str(use["name"]), "arguments": json.dumps(use.get("input") or {}, allow_nan=False)}
            yield {"id": str(use["toolUseId"]), "type": "function", "function": function}
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            _bad("The model's tool call is malformed.")


def _used(told: Any, text: str) -> int:
    return told if type(told) is int and told >= 0 else estimate(text)


def _bad(message: str, code: str = "malformed_reply") -> NoReturn:
    raise BadOutput(message, code=code, maybe_paid=True)
