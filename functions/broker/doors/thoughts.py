"""What a model thought, as OpenAI's and Anthropic's clients know it and send it back.

Both have a text that nobody but us reads: `encrypted_content`, `signature`, `data`. It holds the thought's seal, by
which its provider knows it again (`providers.wire.reasoning`).
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any

from broker.doors.reading import Fields, Json, refuse

_HIDDEN = re.compile("[a-z]{1,20}:r:")
"""How the seal of a thought begins that only its provider can read."""


def packed(thoughts: Sequence[Json]) -> str:
    """Thoughts as one text."""
    return base64.b64encode(json.dumps(thoughts, ensure_ascii=False, separators=(",", ":")).encode()).decode()


def unpacked(text: str, place: str) -> list[Json]:
    """What `packed` gave.

    Raises:
        InvalidRequest: it is another's text.
    """
    try:
        found = json.loads(base64.b64decode(text.encode(), validate=True))
    except (ValueError, RecursionError, binascii.Error):
        found = None
    if not isinstance(found, list) or not found or not all(map(_is_thought, found)):
        refuse(place, "it is not one that was given out here", "invalid_encrypted_content")
    return found


def _is_thought(given: Any) -> bool:
    return (
        isinstance(given, dict)
        and given.keys() <= {"text", "seal"}
        and isinstance(given.get("text"), str)
        and all(isinstance(each, str) for each in given.values())
    )


def reasoning_item(own: str, thoughts: Sequence[Json], *, shown: bool) -> Json:
    """An item of OpenAI's; `shown` where a summary was asked for."""
    texts = [each["text"] for each in thoughts if each["text"]] if shown else []
    summary = [{"type": "summary_text", "text": text} for text in texts]
    return {"type": "reasoning", "id": f"rs_{own}", "summary": summary, "encrypted_content": packed(thoughts)}


def blocks_of(thoughts: Sequence[Json]) -> list[Json]:
    """Blocks of Anthropic's."""
    return [
        {"type": "redacted_thinking", "data": each["seal"]}
        if _HIDDEN.match(each.get("seal", ""))
        else {"type": "thinking", "thinking": each["text"], "signature": each.get("seal", "")}
        for each in thoughts
    ]


def thought_of(block: Fields, kind: str) -> Json:
    """A block that was given out and is sent back."""
    if kind == "redacted_thinking":
        return {"text": "", "seal": block.need("data")}
    text, seal = block.need("thinking"), block.text("signature")
    return {"text": text} | ({"seal": seal} if seal else {})


def asked_of_openai(fields: Fields) -> Json | None:
    """The `reasoning` of a response's body as a job's; None where there is none."""
    given = fields.take("reasoning")
    if given is None:
        return None
    reasoning = Fields(given, fields.place("reasoning"))
    found = {name: value for name in ("effort", "summary", "max_tokens") if (value := reasoning.take(name)) is not None}
    older = reasoning.take("generate_summary")
    if older is not None:
        found.setdefault("summary", older)
    reasoning.only("context", "auto")
    reasoning.only("mode", "standard")
    reasoning.end()
    return found or None
