"""A judge's verdict by word lists, where a request asks for one: a list of finds, each with a kind and a score."""

import json
import re
from collections.abc import Sequence
from typing import Any

from local.model_server.brain.moderation import scores
from local.model_server.brain.text import READ_CHARS, words
from local.model_server.exchange import Json

_INJECTION = re.compile(
    r"\b(?:ignore|forget|disregard) (?:all |the |your )?(?:previous |earlier )?(?:instructions|rules)", re.I
)
_AS_JUDGES_SAY = {
    "hate": "hate",
    "harassment": "harassment",
    "violence": "violence",
    "self-harm": "self_harm",
    "sexual": "sexual",
    "sexual/minors": "minors",
    "illicit": "crime",
    "illicit/violent": "weapons",
}
_TOPIC = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)


def kinds_of(schema: Json) -> Sequence[str]:
    """What may be found by a verdict of this schema; nothing where it is that of something else."""
    found: Any = schema
    for step in ("properties", "finds", "items", "properties", "kind", "enum"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, list) else ()


def verdict(kinds: Sequence[str], instructions: str, material: str) -> str:
    """The verdict on a material."""
    material = material[:READ_CHARS]
    found = {name: scores(material)[category] for category, name in _AS_JUDGES_SAY.items()}
    found["injection"] = 0.97 if _INJECTION.search(material) else 0.0
    said = set(words(material.lower()))
    found |= {
        number: 0.9 if said & set(words(topic.lower())) else 0.0 for number, topic in _TOPIC.findall(instructions)
    }
    finds = [{"kind": kind, "score": round(found.get(kind, 0) * 100)} for kind in kinds if found.get(kind, 0) > 0.1]
    return json.dumps({"finds": finds})
