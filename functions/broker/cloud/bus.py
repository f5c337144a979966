"""The event bus."""

import json
from typing import Any

from broker.envelope import SOURCE
from broker.errors import Unavailable

AT_ONCE = 10
"""Entries that one PutEvents takes."""


class Bus:
    """Puts events on the broker's bus."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, events: list[tuple[str, dict[str, Any]]]) -> list[int]:
        """Put `(detail-type, detail)` pairs.

        Returns:
            Positions of the events that were not taken; putting them again is safe, for their ids are stable.
        """
        refused: list[int] = []
        for begin in range(0, len(events), AT_ONCE):
            entries = [
                {"EventBusName": self._name, "Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail)}
                for kind, detail in events[begin : begin + AT_ONCE]
            ]
            reply = self._client.put_events(Entries=entries)
            refused += [begin + place for place, each in enumerate(reply["Entries"]) if each.get("ErrorCode")]
        return refused

    def put_one(self, kind: str, detail: dict[str, Any]) -> None:
        """Put one event.

        Raises:
            Unavailable: the bus did not take it.
        """
        if self.put([(kind, detail)]):
            raise Unavailable(f"The bus did not take {kind}.", code="event_refused")
