"""What a model cannot take although its dialect can: options of its registry entry, the same for every provider.

without: parameters that are not sent to it (`["temperature", "top_p"]`).
either: parameters of which it takes one at a time (`["temperature", "top_p"]`): the first that a request gives.
cannot: what it refuses of a conversation, of `CANNOT`.
efforts, reasoning: how it is asked to think (`wire.reasoning`).
"""

from collections.abc import Mapping
from typing import Any

from broker.providers.wire.reasoning import EFFORTS

PARAMETERS = ("temperature", "top_p", "max_output_tokens", "stop", "seed")

CANNOT = {
    "forced_tools": "It takes no choice of a tool but `auto`, and is told in words that it has to use one.",
    "prefill": "It does not go on with a last word of its own: a user asks it to.",
    "prompt_cache": "It takes no marks of what its provider is to keep, and no key or time for that.",
    "repeated_roles": "Its template takes turns of user and model in alternation, and the user's first.",
    "system": "It has no instructions: they are said by the user, first of all.",
    "thought_signatures": "It is older than them (Gemini), and calls that have none are sent without.",
}

WAYS = ("adaptive", "always", "budget", "level")
"""Of `reasoning`, the way in which a model is asked to think (`wire.reasoning`)."""

LISTS: Mapping[str, frozenset[str]] = {
    "without": frozenset(PARAMETERS),
    "either": frozenset(PARAMETERS),
    "cannot": frozenset(CANNOT),
    "efforts": frozenset(EFFORTS),
}


def fault(options: Mapping[str, Any]) -> str | None:
    """What is wrong with these options, if anything: a word that nobody knows would be ignored in silence."""
    for name, known in LISTS.items():
        given = options.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            return f"{name} is a list of {', '.join(sorted(known))}"
        if strange := sorted(set(given) - known):
            return f"{name} has {', '.join(strange)}; it knows {', '.join(sorted(known))}"
    if options.get("reasoning", WAYS[0]) not in WAYS:
        return f"reasoning is one of {', '.join(WAYS)}"
    return None


def cannot(options: Mapping[str, Any], what: str) -> bool:
    """Whether the model refuses one of `CANNOT`."""
    return what in options.get("cannot", ())


def sent(options: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the model takes of those that were given."""
    left_out = set(options.get("without", ()))
    rest = {name: value for name, value in parameters.items() if value is not None and name not in left_out}
    for name in [each for each in options.get("either", ()) if each in rest][1:]:
        del rest[name]
    return rest
