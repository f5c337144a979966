"""Crashes on order, for tests: raises or dies before or after writes and sends to AWS.

Loaded only where the environment has `BROKER_FAULTS=probability` (such as `0.05`). With it, each request that changes
something fails so often before it leaves and as often after it was done, half the time by an exception and half the
time by ending the process at once.
"""

import os
import random
from typing import Any

READS = ("Get", "Query", "Receive", "Describe", "List")


class FaultInjected(Exception):
    """A crash that a test asked for."""


def install(session: Any, setting: str) -> None:
    """Hook all clients of a botocore session."""
    probability = float(setting)
    chance = random.Random()  # noqa: S311 - which call fails is no secret

    def strike(model: Any, when: str) -> None:
        if model.name.startswith(READS) or chance.random() >= probability:
            return
        if chance.random() < 0.5:
            os._exit(1)
        raise FaultInjected(f"{when} {model.service_model.service_name}.{model.name}")

    def before(model: Any, **_: Any) -> None:
        strike(model, "before")

    def after(model: Any, **_: Any) -> None:
        strike(model, "after")

    session.register("before-call.*.*", before)
    session.register("after-call.*.*", after)
