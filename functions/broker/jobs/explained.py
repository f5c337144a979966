"""A run's route as it is kept: packed, for it speaks of every model that is registered, and is written for each run.

One that is short stands on the head, and goes with the write that the run begins with: it costs no request, and a head
with it still fits its write unit. A longer one, of some twenty models and more, is a note.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

MOST_ON_HEAD = 256
"""Characters. The head of a plain job has some seven hundred bytes at its end, and a write unit a kilobyte."""


def on_head(note: Mapping[str, Any]) -> str | None:
    """A route for the head, from its note; None where it is too long for that."""
    text = base64.b85encode(note["route"]).decode()
    return text if len(text) <= MOST_ON_HEAD else None


def packed(route: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of the note `ROUTE#run`."""
    return {"route": zlib.compress(json.dumps(route, ensure_ascii=False, separators=(",", ":")).encode(), 9)}


def unpacked(note: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The route of such a note or of a head, also of one from before they were packed; empty where there is none."""
    kept = note.get("route", [])
    kept = base64.b85decode(kept) if isinstance(kept, str) else kept
    found: list[dict[str, Any]] = json.loads(zlib.decompress(kept)) if isinstance(kept, bytes) else kept
    return found
