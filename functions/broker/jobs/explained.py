"""A run's route as it is kept: packed, for it speaks of every model that is registered, and is written for each run."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any


def packed(route: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of the note `ROUTE#run`."""
    return {"route": zlib.compress(json.dumps(route, ensure_ascii=False, separators=(",", ":")).encode(), 9)}


def unpacked(note: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The route of such a note, also of one from before they were packed; empty where there is none."""
    kept = note.get("route", [])
    found: list[dict[str, Any]] = json.loads(zlib.decompress(kept)) if isinstance(kept, bytes) else kept
    return found
