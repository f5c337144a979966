"""Prompts by which a model judges for a guardrail: the operators' words, and between them the place of the material.

What is judged, that its markers count, and the form of the verdict are said by the broker all the same.
"""

from collections.abc import Mapping
from typing import Any

from broker.errors import InvalidRequest
from broker.guardrails.engines.questions import PROMPT_TOKENS, Wording
from broker.prompts.engine import Node, ValuePlace, parse

MATERIAL = "material"
"""The one variable: what is to be judged, which the broker has put between markers."""


def wording(texts: Mapping[str, str], variables: Mapping[str, Any] | None = None) -> Wording:
    """The words of a prompt.

    Args:
        texts: by role, as written.
        variables: as they are declared, if they are.

    Raises:
        InvalidRequest: no judge can be asked by it; the message says why.
    """
    parts = {role: parse(text) for role, text in texts.items()}
    if {*(variables or ())} - {MATERIAL} or any(
        node != ValuePlace(MATERIAL) for nodes in parts.values() for node in nodes if not isinstance(node, str)
    ):
        raise _unfit(f"it has other variables than {MATERIAL}")
    if (variables or {}).get(MATERIAL, {"type": "string"}).get("type") != "string":
        raise _unfit(f"its variable {MATERIAL} is no text")
    user = parts.get("user", ())
    if user.count(ValuePlace(MATERIAL)) != 1 or ValuePlace(MATERIAL) in parts.get("system", ()):
        raise _unfit(f"it needs the variable {MATERIAL} in its user part, once, and in no other")
    if sum(len(text.encode()) for text in texts.values()) > PROMPT_TOKENS:
        raise _unfit(f"it has more than {PROMPT_TOKENS} bytes")
    at = user.index(ValuePlace(MATERIAL))
    before, after = (_said(nodes) for nodes in (user[:at], user[at + 1 :]))
    return Wording(_said(parts.get("system", ())), before, after)


def _said(nodes: tuple[Node, ...]) -> str:
    return "".join(node for node in nodes if isinstance(node, str))


def _unfit(why: str) -> InvalidRequest:
    return InvalidRequest(f"No judge can be asked by this prompt: {why}.", code="unfit_prompt")
