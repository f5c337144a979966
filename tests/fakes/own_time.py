"""Time of one module's own: other threads of the process keep theirs."""

import time
from types import SimpleNamespace
from typing import Any

import pytest


def own_time(monkeypatch: pytest.MonkeyPatch, module: str, **replaced: Any) -> None:
    """Give a module, named by its path, functions of `time` of its own.

    A patch of `time` itself would reach whatever runs beside the test, such as the embedded cloud's own threads.
    """
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(**vars(time) | replaced))
