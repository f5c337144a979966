"""Read Document: what documents say that are no plain text."""

import json
import math
from typing import Any

from broker.bootstrap import inbox
from broker.observability import invocation, log

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Read each document that a file's event tells of."""
    return each_record(event, context, _read, most_s=math.inf)


def _read(record: dict[str, Any]) -> None:
    event = json.loads(record["body"])
    document = inbox.read_for_recipe()(event) if "recipe" in event else inbox.read_document()(event)
    error = document.error.code if document.error else None
    facts = {"kind": document.kind, "pages": len(document.pages), "inside": len(document.children), "error": error}
    log("document read", took_ms=round(document.seconds * 1000), peak_mb=document.peak_mb, **facts)
