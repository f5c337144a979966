"""The event bus as a recorder."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class FakeBus:
    """See `broker.delivery.publishing.EventBus`; `refuse` names the event ids that are not taken, once each."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    def put(self, events: list[tuple[str, dict[str, Any]]]) -> list[int]:
        """See `EventBus.put`."""
        refused = []
        for place, (kind, detail) in enumerate(events):
            event_id = detail["metadata"]["event_id"]
            if event_id in self.refuse:
                self.refuse.remove(event_id)
                refused.append(place)
            else:
                self.events.append((kind, json.loads(json.dumps(detail))))
        return refused

    def put_one(self, kind: str, detail: dict[str, Any]) -> None:
        """Put one event."""
        self.put([(kind, detail)])

    @property
    def kinds(self) -> list[str]:
        """The detail-types, in order."""
        return [kind for kind, _ in self.events]

    @property
    def ids(self) -> list[str]:
        """The event ids, in order."""
        return [detail["metadata"]["event_id"] for _, detail in self.events]
