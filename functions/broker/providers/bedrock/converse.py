"""Amazon Bedrock's Converse: one form for all of its chat models.

Source: Amazon Bedrock API Reference, `Converse`. It takes no OpenAI forms, so messages and tools are rewritten both
ways; its turns alternate and begin with the user's. What it cannot take (`seed`) is left out.
"""

from typing import Any

from broker.errors import Refused, Rejected
from broker.providers.bedrock.errors import bad
from broker.providers.bedrock.invoke import Ask, guardrail
from broker.providers.wire import chat as chats
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.exchange import Json, charged, counted, field
from broker.providers.wire.media import Link, parts

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


def chat(call: Call, ask: Ask) -> Answer:
    """Let a model say something; see `Provider`."""
    made = request(call)
    return answer(call, ask(lambda client: client.converse(**made), call.timeout))


def request(call: Call) -> Json:
    """The operation's parameters.

    Raises:
        Rejected: the model cannot be told what the request has.
    """
    system, turns = _turns(call)
    if said := chats.instruction(call, told=False):
        system.append({"text": said})
    made: Json = {"modelId": call.model, "messages": turns}
    if system:
        made["system"] = system
    if inference := chats.parameters(call, PARAMETERS):
        made["inferenceConfig"] = inference
    if tools := _tools(call):
        made["toolConfig"] = tools
    if guard := guardrail(call):
        made["guardrailConfig"] = guard
    return made


def _turns(call: Call) -> tuple[list[Json], list[Json]]:
    """System blocks and turns; turns of one role that follow each other are one."""
    system: list[Json] = []
    turns: list[Json] = []
    for place, message in enumerate(chats.messages(call)):
        found = parts(message.get("content"), call.media, f"input.messages.{place}")
        if message["role"] in ("system", "developer"):
            system += [{"text": each} for each in chats.only_texts(found, place)]
            continue
        blocks = [_block(each, place) for each in found]
        role = "assistant" if message["role"] == "assistant" else "user"
        if message["role"] == "tool":
            result = {"toolUseId": message.get("tool_call_id"), "content": blocks or [{"text": "(no output)"}]}
            blocks = [{"toolResult": result}]
        for identity, name, arguments in chats.used_tools(message, place):
            blocks.append({"toolUse": {"toolUseId": identity, "name": name, "input": arguments}})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [{"text": chats.OPENING}]})
    return system, turns


def _block(part: str | Blob | Link, place: int) -> Json:
    if isinstance(part, str):
        return {"text": part}
    if isinstance(part, Blob) and part.media_type in IMAGES:
        return {"image": {"format": IMAGES[part.media_type], "source": {"bytes": part.data}}}
    message = f"A picture is none of {', '.join(IMAGES.values())}."
    raise Rejected(message, code="unsupported_content", param=f"input.messages.{place}.content")


def _tools(call: Call) -> Json | None:
    tools, choice = chats.functions(call), chats.choice(call)
    turns = call.input.get("messages") or []
    # A conversation that has used tools must name them even where no more calls are wanted.
    if not tools or (choice == ("none", "") and not any(turn.get("tool_calls") for turn in turns)):
        return None
    config: Json = {"tools": [{"toolSpec": _spec(each)} for each in tools]}
    if choice:
        word, name = choice
        config["toolChoice"] = CHOICES.get(word) or {"tool": {"name": name}}
    return config


def _spec(function: Json) -> Json:
    spec: Json = {"name": function["name"], "inputSchema": {"json": function["parameters"]}}
    return spec | ({"description": function["description"]} if "description" in function else {})


def answer(call: Call, reply: Any) -> Answer:
    """What the operation's reply says.

    Raises:
        Refused: the model or its guardrail stopped.
        BadOutput: it is not in the form of the operation, or misses the call's schema.
    """
    reason = field(reply, "stopReason")
    tokens = (counted(field(reply, "usage", "inputTokens")), counted(field(reply, "usage", "outputTokens")))
    with charged(tokens):
        if isinstance(reason, str) and reason in REFUSALS:
            code, message = REFUSALS[reason]
            raise Refused(message, code=code, maybe_paid=True)
        if str(reason) in MALFORMED:
            bad("The model's answer is malformed.")
        blocks = field(reply, "output", "message", "content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            bad("Bedrock's reply has no message.")
    identity = field(reply, "ResponseMetadata", "RequestId")
    uses = [block["toolUse"] for block in blocks if isinstance(block.get("toolUse"), dict)]
    return chats.answer(
        call,
        text="".join(block["text"] for block in blocks if isinstance(block.get("text"), str)),
        tool_calls=[_called(each) for each in uses],
        finish=FINISHES.get(str(reason), "stop"),
        tokens=tokens,
        facts={"request_id": str(identity)[:128]} if identity else {},
    )


def _called(use: Json) -> Json:
    return {"id": use.get("toolUseId"), "name": use.get("name"), "arguments": use.get("input")}
