"""Amazon Bedrock's Converse: one form for all of its chat models.

Source: Amazon Bedrock API Reference, `Converse`. It takes no OpenAI forms, so messages and tools are rewritten both
ways; its turns alternate and begin with the user's. What it cannot take (`seed`) is left out.
"""

import json
from collections.abc import Iterable
from typing import Any

from broker.errors import InvalidRequest, Refused
from broker.providers import structured
from broker.providers.base import Answer, Blob, Call, Media
from broker.providers.bedrock_errors import bad
from broker.providers.bedrock_invoke import Ask, guardrail
from broker.providers.media import parts
from broker.tokens import estimate

Json = dict[str, Any]

FINISHES = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""
REFUSALS = {
    "guardrail_intervened": ("guardrail_intervened", "The model's guardrail stopped the call."),
    "content_filtered": ("model_refused", "The model refused to answer."),
}
MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})

PARAMETERS = {
    "max_output_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
}

CHOICES: dict[str, Json] = {"auto": {"auto": {}}, "none": {"auto": {}}, "required": {"any": {}}}
"""OpenAI's words for the choice of a tool. Converse cannot forbid tools that it was told of."""

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}

_OPENING = "Begin."
"""Said by the user where a conversation begins otherwise: Converse takes no other beginning."""


def chat(call: Call, ask: Ask) -> Answer:
    """Let a model say something; see `Provider`."""
    request = _request(call)
    return _answer(call, request, ask(lambda client: client.converse(**request), call.timeout))


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
    if guard := guardrail(call):
        request["guardrailConfig"] = guard
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
        blocks = _blocks(message.get("content"), call.media, where)
        if message["role"] in ("system", "developer"):
            if any("image" in block for block in blocks):
                message = "Instructions take no pictures."
                raise InvalidRequest(message, code="unsupported_content", param=f"{where}.content")
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


def _blocks(content: Any, media: Media, where: str) -> list[Json]:
    """Blocks of text and of pictures; empty texts are left out, as the service takes none."""
    blocks: list[Json] = []
    for part in parts(content, media, where):
        if isinstance(part, str):
            blocks.append({"text": part})
        elif isinstance(part, Blob) and part.media_type in IMAGES:
            blocks.append({"image": {"format": IMAGES[part.media_type], "source": {"bytes": part.data}}})
        else:
            message = f"A picture is none of {', '.join(IMAGES.values())}."
            raise InvalidRequest(message, code="unsupported_content", param=f"{where}.content")
    return blocks


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
        code, message = REFUSALS[reason]
        raise Refused(message, code=code, maybe_paid=True)
    if reason in MALFORMED:
        bad("The model's answer is malformed.")
    blocks = ((reply.get("output") or {}).get("message") or {}).get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        bad("Bedrock's reply has no message.")
    text = "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
    tool_calls = list(_tool_calls(block["toolUse"] for block in blocks if "toolUse" in block))
    if not text.strip() and not tool_calls:
        bad("The model's answer is empty.", code="empty_answer")
    finish = FINISHES.get(str(reason), "tool_calls" if tool_calls else "stop")
    output: Json = {"text": text, "finish_reason": finish}
    if tool_calls:
        output["tool_calls"] = tool_calls
    elif call.output_schema is not None:
        output["json"] = structured.answer(text, call.output_schema, finish)
    try:
        structured.check_storable(output)
    except ValueError:
        bad("The model's answer is not text.")
    usage, meta = reply.get("usage") or {}, reply.get("ResponseMetadata", {})
    # Without the bytes of pictures, which no estimate of a text covers.
    asked = json.dumps(request, ensure_ascii=False, default=lambda _: "")
    said = text + "".join(each["function"]["arguments"] for each in tool_calls)
    return Answer(
        output,
        input_tokens=_used(usage.get("inputTokens"), asked),
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
            bad("The model's tool call is malformed.")


def _used(told: Any, text: str) -> int:
    return told if type(told) is int and told >= 0 else estimate(text)
