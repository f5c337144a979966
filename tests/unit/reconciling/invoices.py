"""A month of calls on record, and what a provider would charge for it where nobody is at fault."""

import random
from collections.abc import Iterable
from dataclasses import replace

from broker.cli.reconciling.records import Called, Charged, Summed

HOUR_MS = 3_600_000
BEGIN = 1_793_491_200_000
"""2026-11-01."""
HOURS = 500

PRICES = {"claude-sonnet": (3_000, 15_000), "claude-haiku": (1_000, 5_000), "gpt-mini": (150, 600)}


def calls(count: int, chance: random.Random) -> list[Called]:
    """So many calls that were paid for, by two tenants."""
    found = []
    for number in range(count):
        name = chance.choice(list(PRICES))
        into, out = chance.randint(10, 9_000), chance.randint(1, 900)
        at = BEGIN + chance.randrange(HOURS * HOUR_MS)
        found.append(
            Called(
                chance.choice(["acme", "globex"]),
                f"job_{number:032x}",
                "1.1",
                "openai" if name == "gpt-mini" else "anthropic",
                name.replace("claude-", ""),
                name,
                "yes",
                into * PRICES[name][0] + out * PRICES[name][1],
                at,
                at + chance.randint(200, 40_000),
                f"req_{number:032x}",
                into,
                out,
            )
        )
    return found


def charge(call: Called, place: int = 0) -> Charged:
    """What is charged for it."""
    name = f"{call.name}-20260101"
    at = (call.started_at + call.ended_at) // 2
    return Charged(place, name, call.request_id, None, at, call.nusd, call.input_tokens, call.output_tokens)


def sums(calls: Iterable[Called], moment: str = "started_at") -> dict[tuple[int, str], Summed]:
    """What is charged by hour and model, by the hour in which each began, or ended."""
    found: dict[tuple[int, str], Summed] = {}
    for call in calls:
        hour = (getattr(call, moment) - BEGIN) // HOUR_MS
        at = BEGIN + hour * HOUR_MS
        known = found.get((hour, call.name), Summed(at, at + HOUR_MS, call.name, 0, 0, 0, 0))
        found[hour, call.name] = more(known, call)
    return found


def more(known: Summed, call: Called, times: int = 1) -> Summed:
    """A sum with a call more, or less."""
    return replace(
        known,
        requests=(known.requests or 0) + times,
        input_tokens=(known.input_tokens or 0) + times * call.input_tokens,
        output_tokens=(known.output_tokens or 0) + times * call.output_tokens,
        nusd=(known.nusd or 0) + times * call.nusd,
    )
