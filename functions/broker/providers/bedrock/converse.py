"""Amazon Bedrock's Converse: one form for all of its chat models.

Source: Amazon Bedrock API Reference, `Converse`. It takes no OpenAI forms, so messages and tools are rewritten both
ways; its turns alternate and begin with the user's. What it cannot take (`seed`) is left out.
`requestMetadata` says whose call it is, for the account's own log of invocations.
"""

from base64 import b64decode, b64encode
from typing import Any

from broker.cached_input import CachedInput
from broker.errors import Refused
from broker.prompt_marks import LONG
from broker.providers.bedrock.cache_points import pointed, settle
from broker.providers.bedrock.invoke import Exchanger, guardrail
from broker.providers.bedrock.service_errors import bad
from broker.providers.wire import anthropic_thinking as thinking
from broker.providers.wire import chat as chats
from broker.providers.wire import reasoning
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.dialects import CONVERSE
from broker.providers.wire.exchange import Json, charged, counted, field
from broker.providers.wire.history import History, Part, Spoken, prepare
from broker.providers.wire.marks import of_part
from broker.providers.wire.own_fields import beside
from broker.providers.wire.tools import FORBIDDEN, DialectTool

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

BY = "bedrock"
"""Who signed a thought."""

NOVA_EFFORTS = ("low", "medium")
"""With more, Nova takes no limit on the answer."""

CHOICES: dict[str, Json] = {"auto": {"auto": {}}, "none": {"auto": {}}, "required": {"any": {}}}
"""OpenAI's words for the choice of a tool. Converse cannot forbid tools that it was told of."""


def chat(call: Call, ask: Exchanger) -> Answer:
    """Let a model say something; see `Provider`."""
    history = prepared(call)
    made = request(call, history)
    return answer(call, ask(lambda client: client.converse(**made), call.timeout), history)


def prepared(call: Call) -> History:
    """The conversation as the operation takes it."""
    call = thinking.fitted(call) if _is_claude(call) else call
    return prepare(call, CONVERSE, said=chats.instruction(call, natively=False))


def request(call: Call, history: History) -> Json:
    """The operation's parameters."""
    made: Json = {"modelId": call.model, "messages": [_turn(each) for each in history.turns]}
    if history.system:
        made["system"] = [block for each in history.system for block in pointed({"text": each}, of_part(each))]
    inference = chats.parameters(call, PARAMETERS)
    more = _thinking(call, history)
    if "thinking" in more:
        heat = inference | more
        thinking.without_heat(heat, "temperature", "topP")
        inference = {name: value for name, value in inference.items() if name in heat}
    if inference:
        made["inferenceConfig"] = inference
    if fields := beside(more, call.extra):
        made["additionalModelRequestFields"] = fields
    if tools := _tools(history):
        made["toolConfig"] = tools
    if guard := guardrail(call):
        made["guardrailConfig"] = guard
    if call.caller:
        made["requestMetadata"] = call.caller
    settle(call, made)
    return made


def _thinking(call: Call, history: History) -> Json:
    """What the model's family calls it; the operation has no word of its own."""
    if _is_claude(call):
        return thinking.asked(call, history)
    for turn in history.turns:
        turn.thoughts = []
    asked = reasoning.wanted(call)
    if asked is None or call.options.get("reasoning") == "always":
        return {}
    if "nova" in _family(call):
        if asked.is_off:
            return {"reasoningConfig": {"type": "disabled"}}
        most = reasoning.effort_of(call, asked, NOVA_EFFORTS) or NOVA_EFFORTS[0]
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": most}}
    effort = reasoning.effort_of(call, asked)
    return {"reasoning_effort": effort} if effort else {}


def _family(call: Call) -> str:
    return str(call.options.get("family", call.model))


def _is_claude(call: Call) -> bool:
    return "anthropic" in _family(call)


def _sent_back(thought: reasoning.Thought) -> Json:
    if thought.kind == "data":
        return {"reasoningContent": {"redactedContent": b64decode(thought.signature)}}
    return {"reasoningContent": {"reasoningText": {"text": thought.text, "signature": thought.signature}}}


def _turn(turn: Spoken) -> Json:
    content: list[Json] = [_sent_back(each) for each in turn.thoughts]
    for result in turn.results:
        blocks = [_block(each) for each in result.parts]
        content += pointed({"toolResult": {"toolUseId": result.id, "content": blocks}}, result.mark)
    for each in turn.parts:
        content += pointed(_block(each), of_part(each))
    for use in turn.uses:
        made = {"toolUseId": use.id, "name": use.name, "input": use.arguments}
        content += pointed({"toolUse": made}, use.mark)
    return {"role": turn.role, "content": content}


def _block(part: Part) -> Json:
    if isinstance(part, Blob):
        return {"image": {"format": part.media_type.removeprefix("image/"), "source": {"bytes": part.data}}}
    return {"text": part}


def _tools(history: History) -> Json | None:
    tools, choice = history.toolbox.tools, history.toolbox.choice
    # A conversation that has used tools must name them even where no more calls are wanted.
    if not tools or (choice == FORBIDDEN and not any(turn.uses for turn in history.turns)):
        return None
    config: Json = {"tools": [block for each in tools for block in pointed({"toolSpec": _spec(each)}, each.mark)]}
    if choice:
        word, name = choice
        config["toolChoice"] = CHOICES.get(word) or {"tool": {"name": name}}
    return config


def _spec(tool: DialectTool) -> Json:
    function = tool.function("inputSchema")
    return {**function, "inputSchema": {"json": function["inputSchema"]}}


def answer(call: Call, reply: Any, history: History) -> Answer:
    """What the operation's reply says.

    Raises:
        Refused: the model or its guardrail stopped.
        BadOutput: it is not in the form of the operation, or misses the call's schema.
    """
    reason = field(reply, "stopReason")
    usage = field(reply, "usage")
    cached = _cached(usage)
    read = counted(field(usage, "inputTokens"))  # beside what the prompt cache had to do with
    tokens = (None if read is None else read + sum(cached), counted(field(usage, "outputTokens")))
    with charged(tokens, cached):
        if isinstance(reason, str) and reason in REFUSALS:
            code, message = REFUSALS[reason]
            raise Refused(message, code=code, maybe_paid=True)
        if str(reason) in MALFORMED:
            bad("The model's answer is malformed.")
        blocks = field(reply, "output", "message", "content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            bad("Bedrock's reply has no message.")
    identity = field(reply, "ResponseMetadata", "RequestId")
    thoughts = [block["reasoningContent"] for block in blocks if "reasoningContent" in block]
    uses = [block["toolUse"] for block in blocks if isinstance(block.get("toolUse"), dict)]
    answered = chats.answer(
        call,
        text="".join(block["text"] for block in blocks if isinstance(block.get("text"), str)),
        tool_calls=history.toolbox.named([_called(each) for each in uses], call),
        finish=FINISHES.get(str(reason), "stop"),
        tokens=tokens,
        facts={"request_id": str(identity)[:128]} if identity else {},
        thinking=reasoning.Thinking([_thought(each, _is_claude(call)) for each in thoughts]),
        cached=cached,
    )
    return history.toolbox.restored(answered)


def _thought(block: Any, signs: bool) -> Json:
    """What a model thought; only Claude takes it back."""
    if isinstance(hidden := field(block, "redactedContent"), bytes):
        return reasoning.hidden(BY if signs else "", b64encode(hidden).decode())
    text, signature = (field(block, "reasoningText", name) for name in ("text", "signature"))
    return reasoning.thought(str(text or ""), BY, signature if signs else None)


def _cached(usage: Any) -> CachedInput:
    written = counted(field(usage, "cacheWriteInputTokens")) or 0
    details = field(usage, "cacheDetails")
    longer = [each for each in details if field(each, "ttl") == LONG] if isinstance(details, list) else []
    hour = min(counted(*(field(each, "inputTokens") for each in longer)) or 0, written)
    return CachedInput(counted(field(usage, "cacheReadInputTokens")) or 0, written - hour, hour)


def _called(use: Json) -> Json:
    return {"id": use.get("toolUseId"), "name": use.get("name"), "arguments": use.get("input")}
