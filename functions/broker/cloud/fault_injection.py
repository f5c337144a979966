"""Crashes on order, for tests: raises, dies or hangs before or after writes and sends to AWS.

Loaded only where the environment has `BROKER_FAULTS`. With a probability (such as `0.05`), each request that changes
something fails so often before it leaves and as often after it was done, half the time by an exception and half the
time by ending the process at once. With `hang:word`, each that has the word in it never comes to an end.
"""

import os
import random
import time
from typing import Any

READS = ("get_", "query", "receive_", "describe_", "list_")


class FaultInjected(Exception):
    """A crash that a test asked for."""


class Faulty:
    """A client of botocore's form whose writes and sends may crash or hang, by the environment's order."""

    def __init__(self, client: Any, order: str) -> None:
        self._client = client
        kind, _, word = order.partition(":")
        self._hangs_at = word if kind == "hang" else None
        self._probability = 0.0 if self._hangs_at else float(order)
        self._chance = random.Random()  # noqa: S311 - which call fails is no secret

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping or name.startswith(READS):
            return found

        def struck(**request: Any) -> Any:
            while self._hangs_at and self._hangs_at in repr(request):
                time.sleep(1)
            self._strike(f"before {name}")
            reply = found(**request)
            self._strike(f"after {name}")
            return reply

        return struck

    def _strike(self, moment: str) -> None:
        if self._chance.random() >= self._probability:
            return
        if self._chance.random() < 0.5:
            os._exit(1)
        raise FaultInjected(moment)
