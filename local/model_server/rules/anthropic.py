"""What Anthropic's messages refuse."""

import re

from local.model_server.exchange import Json
from local.model_server.rules import claude
from local.model_server.rules.common import is_mislabelled, is_plain_object, objects, refuse, twice

IDENTITY = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
USED_NAME = re.compile(r"[a-zA-Z0-9_-]{1,200}")
PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MOST_MARKS = 4
BODY = frozenset(
    {
        *("model", "max_tokens", "messages", "system", "temperature", "top_p", "stop_sequences", "tools"),
        *("tool_choice", "output_config", "output_format", "metadata", "stream", "thinking", "top_k", "service_tier"),
    }
)


def check(body: Json) -> None:
    """Refuse what Anthropic refuses."""
    if strange := sorted(body.keys() - BODY):
        refuse(f"{strange[0]}: Extra inputs are not permitted")
    _tools(body)
    turns = [(turn.get("role"), _blocks(turn.get("content"))) for turn in objects(body.get("messages"))]
    if turns and turns[0][0] != "user":
        refuse('messages: first message must use the "user" role')
    for place, (role, blocks) in enumerate(turns):
        if role not in ("user", "assistant"):
            refuse(f"messages.{place}.role: Input should be 'user' or 'assistant'")
        if not blocks:
            refuse(f"messages.{place}: all messages must have non-empty content")
        for block in blocks:
            _block(block, role, f"messages.{place}")
        _paired(turns, place)
    every = [use["id"] for _, blocks in turns for use in _of(blocks, "tool_use")]
    if twice(every):
        refuse("messages: `tool_use` ids must be unique")
    if every and not body.get("tools"):
        refuse("Requests which include `tool_use` or `tool_result` blocks must define tools")
    _thinking(body, turns)
    last = turns[-1][1][-1] if turns else {}
    prefilled = bool(turns) and turns[-1][0] == "assistant"
    if prefilled and last.get("type") == "text" and last["text"] != last["text"].rstrip():
        refuse("messages: final assistant content cannot end with trailing whitespace")
    _marks(body, [block for _, blocks in turns for block in blocks])
    sampling = {name: body.get(name) for name in ("temperature", "top_p")}
    claude.check(str(body.get("model")), **sampling, prefilled=prefilled)


def _marks(body: Json, blocks: list[Json]) -> None:
    marks = [
        each["cache_control"]
        for each in [*objects(body.get("tools")), *_blocks(body.get("system")), *blocks]
        if "cache_control" in each
    ]
    if len(marks) > MOST_MARKS:
        refuse(f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {len(marks)}.")
    for mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            refuse("cache_control: Input should be a valid ephemeral cache control")
    times = [mark.get("ttl", "5m") for mark in marks]
    if times != sorted(times):  # 1h before 5m
        refuse("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def _blocks(content: object) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)


def _of(blocks: list[Json], kind: str) -> list[Json]:
    return [block for block in blocks if block.get("type") == kind]


def _block(block: Json, role: object, where: str) -> None:
    match block.get("type"):
        case "text":
            if not str(block.get("text") or "").strip():
                refuse(f"{where}: text content blocks must contain non-whitespace text")
        case "thinking" | "redacted_thinking":
            if role != "assistant" or not (block.get("signature") or block.get("data")):
                refuse(f"{where}: `thinking` blocks are the assistant's, and signed")
        case "tool_use":
            if role != "assistant":
                refuse(f"{where}: `tool_use` blocks can only be in `assistant` messages")
            if not IDENTITY.fullmatch(str(block.get("id"))) or not USED_NAME.fullmatch(str(block.get("name"))):
                refuse(f"{where}.tool_use: String should match pattern '^[a-zA-Z0-9_-]+$'")
            if not isinstance(block.get("input"), dict):
                refuse(f"{where}.tool_use.input: Input should be a valid dictionary")
        case "tool_result":
            if not IDENTITY.fullmatch(str(block.get("tool_use_id"))):
                refuse(f"{where}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            for inner in _blocks(block.get("content")):
                _block(inner, "user", where)
        case "image":
            source = block.get("source")
            if role != "user" or not isinstance(source, dict):
                refuse(f"{where}: images can only be in `user` messages")
            if source.get("type") == "base64" and source.get("media_type") not in PICTURES:
                refuse(f"{where}.image.source.base64.media_type: Input should be one of {', '.join(PICTURES)}")
            if source.get("type") == "base64" and is_mislabelled(source["media_type"], source.get("data")):
                refuse(f"{where}: Image does not match the provided media type {source['media_type']}")
        case other:
            refuse(f"{where}: Input tag '{other}' found using 'type' does not match any of the expected tags")


def _thinking(body: Json, turns: list[tuple[object, list[Json]]]) -> None:
    """What does not go with extended thinking."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") == "disabled":
        return
    budget, limit = thinking.get("budget_tokens"), body.get("max_tokens")
    if thinking.get("type") == "enabled" and not (isinstance(budget, int) and 1024 <= budget < (limit or 0)):
        refuse("thinking.enabled.budget_tokens: at least 1024, and less than `max_tokens`")
    if body.get("temperature", 1) != 1 or body.get("top_p", 1) < 0.95:
        refuse("`temperature` may only be set to 1 when thinking is enabled")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        refuse("Thinking may not be enabled when tool_choice forces tool use.")
    if turns and turns[-1][0] == "assistant":
        refuse("messages: the final turn may not be the assistant's when thinking is enabled")
    spoken = [blocks for role, blocks in turns if role == "assistant"]
    goes_on = spoken and _of(spoken[-1], "tool_use") and _of(turns[-1][1], "tool_result")
    first = spoken[-1][0].get("type") if spoken else None
    if thinking.get("type") == "enabled" and goes_on and first not in ("thinking", "redacted_thinking"):
        refuse("messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`")


def _paired(turns: list[tuple[object, list[Json]]], place: int) -> None:
    """Results answer the calls of the turn before, all of them, before anything else is said."""
    blocks = turns[place][1]
    results = [result["tool_use_id"] for result in _of(blocks, "tool_result")]
    called = [use["id"] for use in _of(turns[place - 1][1], "tool_use")] if place else []
    if strange := [result for result in results if result not in called]:
        refuse(f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {strange[0]}")
    if twice(results):
        refuse(f"messages.{place}: each tool_use must have a single result")
    first = [block.get("tool_use_id") for block in blocks[: len(called)] if block.get("type") == "tool_result"]
    if missing := [call for call in called if call not in first]:
        refuse(f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}")
    if place == len(turns) - 1 and _of(blocks, "tool_use"):
        refuse(f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after")


def _tools(body: Json) -> None:
    tools = objects(body.get("tools"))
    for place, tool in enumerate(tools):
        if not TOOL_NAME.fullmatch(str(tool.get("name"))):
            refuse(f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if not is_plain_object(tool.get("input_schema")):
            refuse(f"tools.{place}.custom.input_schema: type has to be 'object', without oneOf, allOf, or anyOf")
    if twice(tool["name"] for tool in tools):
        refuse("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is not None and not tools:
        refuse("tool_choice may only be specified while providing tools")
    if (
        isinstance(choice, dict)
        and choice.get("type") == "tool"
        and choice.get("name") not in [t["name"] for t in tools]
    ):
        refuse(f"Tool '{choice.get('name')}' not found in provided tools")
