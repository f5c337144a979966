"""What makes MiniStack 1.5.33 quick enough to be tried with pleasure, beside how it runs functions (`processes`).

What it answers stays as it is.

- Each execution of a state machine begins with 0.15 s of sleep.
- It parses the policies of a role anew for each request, and a JSONata expression each time that it is evaluated.
- One thread polls all event sources, and runs the function of a stream in it; meanwhile no queue is read. Here streams
  have a thread of their own.

A test fails when a new release no longer fits.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jsonata.parser import Parser
from ministack.core import iam_evaluator
from ministack.services import lambda_svc, stepfunctions

from local.emulator.rewriting import rewrite

IDLE_GAP_S = 0.005
"""Between two looks at the sources of which the first found nothing."""

LOOKS_EVERY_S = 1.0
"""At the streams, where nothing wakes their thread: for what was put off after an error."""

MOST_KEPT = 1024
"""Policies, and expressions."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    rewrite(stepfunctions, "_run_execution", ("    time.sleep(0.15)\n", ""))
    iam_evaluator.parse_policy_document = _kept_policies(iam_evaluator.parse_policy_document)
    Parser.parse = _kept_expressions(Parser.parse)
    lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = IDLE_GAP_S
    lambda_svc._poll_dynamodb_streams = Streams(lambda_svc._poll_dynamodb_streams).wake


class Streams:
    """Polls the streams in a thread of its own, which begins with the first wake."""

    def __init__(self, poll: Callable[[], bool]) -> None:
        """`poll` reads each stream once, and is true where one had something."""
        self._poll = poll
        self._woken = threading.Event()
        self._started = False

    def wake(self) -> bool:
        """For the thread that polls all sources: there may be something. It has nothing to do here itself."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, daemon=True, name="streams").start()
        self._woken.set()
        return False

    def _run(self) -> None:
        while True:
            self._woken.wait(LOOKS_EVERY_S)
            self._woken.clear()
            try:
                while self._poll():
                    pass
            except Exception:
                lambda_svc.logger.exception("streams")


def _kept_policies(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Policies are text where a template made them; what is parsed of a text is only read."""
    kept = lru_cache(MOST_KEPT)(parse)
    return lambda document: kept(document) if isinstance(document, str) else parse(document)


def _kept_expressions(parse: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[str, Any] = {}

    def parsed(self: Parser, text: str, *more: Any) -> Any:
        if text not in kept:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[text] = parse(self, text, *more)
        return kept[text]

    return parsed
