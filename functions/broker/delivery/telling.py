"""Telling the bus of what is no job's change, in the form that a tenant wants its events in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.envelope import cloud_event
from broker.errors import Forbidden


@dataclass(frozen=True, slots=True)
class TellBus:
    """Puts one event; events of jobs have their form by their heads."""

    put: Callable[[str, dict[str, Any]], None]
    wants_cloud_events: Callable[[str], bool]
    """Of a tenant; raises `Forbidden` where it is not registered, or was disabled."""

    def __call__(self, kind: str, detail: dict[str, Any]) -> None:
        """Put an event: its detail-type, and its detail as `envelope` gave it."""
        tenant = detail["metadata"]["tenant"]
        self.put(kind, cloud_event(kind, detail) if tenant is not None and self._wants(tenant) else detail)

    def _wants(self, tenant: str) -> bool:
        try:
            return self.wants_cloud_events(tenant)
        except Forbidden:  # then nobody has said so
            return False
