"""The weights of tenants, for who shares among them."""

from collections.abc import Callable

from broker.errors import Forbidden
from broker.tenants.registry import KEEP_MS, Tenants

MOST = 1_000
"""Tenants that are remembered."""


class Weights:
    """By tenant, each read every half a minute at most; 1 where it cannot be."""

    def __init__(self, tenants: Tenants, unread: Callable[[Exception], None]) -> None:
        """`unread` is told of each time that one could not be read."""
        self._tenants, self._unread = tenants, unread
        self._kept: dict[str, tuple[int, int]] = {}

    def __call__(self, tenant: str, now: int) -> int:
        """The weight of a tenant; `now` is milliseconds."""
        read_at, weight = self._kept.get(tenant, (None, 1))
        if read_at is None or not 0 <= now - read_at < KEEP_MS:
            weight = self._read(tenant, now)
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[tenant] = now, weight
        return weight

    def _read(self, tenant: str, now: int) -> int:
        try:
            return self._tenants.get(tenant, now).weight
        except Forbidden:  # what it has sent before still runs
            return 1
        except Exception as error:
            self._unread(error)
            return 1
