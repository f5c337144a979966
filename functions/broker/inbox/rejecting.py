"""What is said of a file that is rejected as a whole: the reason beside it in the outbox, and an event."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.envelope import envelope
from broker.inbox.file_work import ERROR, REJECTED, Outbox, event_id
from broker.inbox.files import MAX_KEY_BYTES


@dataclass(frozen=True, slots=True)
class Reject:
    """Says why. May be repeated."""

    outbox: Outbox
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""

    def __call__(self, key: str, batch_id: str, tenant: str | None, facts: dict[str, Any], now: int) -> None:
        """Write `{key}.error.json`, and put `RequestRejected`; `facts` are the error's, with `param`."""
        if len(key.encode()) <= MAX_KEY_BYTES:
            body = json.dumps({"error": {**facts, "request_id": batch_id}}, ensure_ascii=False)
            self.outbox.put(key + ERROR, [body.encode()])
        data = {"source": "aws.s3", "key": key, "error": facts}
        self.tell("RequestRejected", envelope(event_id(batch_id, REJECTED), batch_id, tenant, now, data))
