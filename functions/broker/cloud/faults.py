"""Crashes on order, for tests: raises or dies before or after writes and sends to AWS.

Loaded only where the environment has `BROKER_FAULTS=probability` (such as `0.05`). With it, each request that changes
something fails so often before it leaves and as often after it was done, half the time by an exception and half the
time by ending the process at once.
"""

import os
import random
from typing import Any

READS = ("get_", "query", "receive_", "describe_", "list_")


class FaultInjected(Exception):
    """A crash that a test asked for."""


class Faulty:
    """A client of botocore's form whose writes and sends may crash."""

    def __init__(self, client: Any, probability: float) -> None:
        self._client = client
        self._probability = probability
        self._chance = random.Random()  # noqa: S311 - which call fails is no secret

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping or name.startswith(READS):
            return found

        def struck(**request: Any) -> Any:
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
