"""Points up to which Bedrock is to keep a prompt (`cachePoint`).

Source: Amazon Bedrock user guide, "Prompt caching for faster model inference". Claude and Nova have it, Nova not for
tools and for five minutes alone. Of a model whose id does not tell (an inference profile), the option `family` does, or
`prompt_cache` is true where it has it too.
"""

from typing import Any

from broker.prompt_marks import LONG
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Call
from broker.providers.wire.marks import settled, wish

Json = dict[str, Any]

CLAUDE, NOVA = "anthropic.claude", "amazon.nova"
POINT = "cachePoint"


def pointed(block: Json, mark: str) -> list[Json]:
    """A block, and a point behind it where it is marked."""
    return [block, {POINT: {"type": "default", "ttl": mark}}] if mark else [block]


def settle(call: Call, made: Json) -> None:
    """Give an operation's parameters the points that a call wishes, and leave none that the model does not take."""
    turns = [turn["content"] for turn in made["messages"]]
    system, tools = made.get("system", []), made.get("toolConfig", {}).get("tools", [])
    lists = [tools, system, *turns]
    if ttl := wish(call):
        before = system or tools
        if before and not any(POINT in block for blocks in lists for block in blocks):
            before += pointed({}, ttl)[1:]
        if POINT not in turns[-1][-1]:
            turns[-1] += pointed({}, ttl)[1:]
    if not _takes(call):
        _remove(lists)
        return
    is_nova = NOVA in _family(call)
    if is_nova:
        _remove([tools])
    points = [(blocks, place) for blocks in lists for place, block in enumerate(blocks) if POINT in block]
    marks = settled([str(blocks[place][POINT].get("ttl")) for blocks, place in points])
    for (blocks, place), mark in zip(points, marks, strict=True):
        long = {"ttl": LONG} if mark == LONG and not is_nova else {}
        blocks[place] = {POINT: {"type": "default"} | long} if mark else {}
    for blocks in lists:
        blocks[:] = [block for block in blocks if block]


def _takes(call: Call) -> bool:
    known = CLAUDE in _family(call) or NOVA in _family(call) or call.options.get("prompt_cache") is True
    return known and not cannot(call.options, "prompt_cache")


def _family(call: Call) -> str:
    return str(call.options.get("family", call.model))


def _remove(lists: list[list[Json]]) -> None:
    for blocks in lists:
        blocks[:] = [block for block in blocks if POINT not in block]
