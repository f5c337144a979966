"""Faults on order, for tests: crashes, requests that hang, and requests that AWS refuses as it throttles.

Loaded only where the environment has `BROKER_FAULTS`. With a probability (such as `0.05`), each request that changes
something fails so often before it leaves and as often after it was done, half the time by an exception and half the
time by ending the process at once. With `hang:pattern`, each that changes something and has the pattern in it never
comes to an end. With `throttle:pattern`, each that has the pattern in it, also one that only reads, is refused as when
all the client's repeats were throttled.
"""

import os
import random
import re
import time
from typing import Any

READS = ("get_", "query", "receive_", "describe_", "list_")


class FaultInjected(Exception):
    """A crash that a test asked for."""


class Faulty:
    """A client of botocore's form whose requests fail, by the environment's order."""

    def __init__(self, client: Any, order: str) -> None:
        self._client = client
        self._kind, _, pattern = order.partition(":")
        self._pattern = re.compile(pattern)
        self._probability = 0.0 if pattern else float(order)
        self._chance = random.Random()  # noqa: S311 - which call fails is no secret

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping:
            return found
        if self._kind != "throttle" and name.startswith(READS):
            return found

        def struck(**request: Any) -> Any:
            while self._meant("hang", request):
                time.sleep(1)
            if self._meant("throttle", request):
                from botocore.exceptions import ClientError

                said: Any = {
                    "Error": {"Code": "ThrottlingException", "Message": "Rate of requests exceeds the throughput."}
                }
                raise ClientError(said, name)
            self._strike(f"before {name}")
            reply = found(**request)
            self._strike(f"after {name}")
            return reply

        return struck

    def _meant(self, kind: str, request: dict[str, Any]) -> bool:
        return self._kind == kind and self._pattern.search(repr(request)) is not None

    def _strike(self, moment: str) -> None:
        if self._chance.random() >= self._probability:
            return
        if self._chance.random() < 0.5:
            os._exit(1)
        raise FaultInjected(moment)
