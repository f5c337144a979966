"""What makes MiniStack 1.5.33 quick enough to be tried with pleasure; what it answers stays as it is.

- Each execution of a state machine begins with 0.15 s of sleep.
- After each invocation it waits for the function's log to fall silent: 5 ms, and 50 ms where nothing was logged. Here
  the function's process writes an end mark, and nothing waits.
- It parses the policies of a role anew for each request, and a JSONata expression each time that it is evaluated.
- One thread polls all event sources, and runs the function of a stream in it; meanwhile no queue is read. Here streams
  have a thread of their own.
- It starts a process for each invocation at a time, and they stay: seconds of CPU and 65 MB each. Here an invocation
  waits for a free process of its function as long as a new one takes to start, and then gets the new one.

A test fails when a new release no longer fits.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from jsonata.parser import Parser
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc, stepfunctions

from local.emulator.rewriting import replaced, rewrite

END_OF_LOG = "\x1e"
"""The line that ends the log of one invocation (ASCII's record separator)."""

BEFORE_REPLY = "        _real_stdout.flush()\n\nrun()"
MARKED = f"""        try:
            sys.stderr.write({END_OF_LOG + chr(10)!r})
            sys.stderr.flush()
        except OSError:
            pass
"""

LOG_ENDS_WITHIN_S = 5.0
"""The mark is written before the reply, so it is there or under way."""

LOOKS_AGAIN_S = 0.05
"""Whether the log was closed, while no line comes."""

IDLE_GAP_S = 0.005
"""Between two looks at the sources of which the first found nothing."""

LOOKS_EVERY_S = 1.0
"""At the streams, where nothing wakes their thread: for what was put off after an error."""

PROCESSES = int(os.environ.get("PROCESSES_PER_FUNCTION", "8"))
"""Of one function, at a time; what is more waits."""

STARTS_IN_S = 0.5
"""What a process takes to start, until it was measured: on a busy machine it is more. To wait as long for one that is
free costs at most twice the better choice."""

MOST_KEPT = 1024
"""Policies, and expressions."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    rewrite(stepfunctions, "_run_execution", ("    time.sleep(0.15)\n", ""))
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    where = "the script that runs functions"
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced(script, BEFORE_REPLY, MARKED + BEFORE_REPLY, where=where)
    lambda_runtime.Worker = MarkedWorker
    iam_evaluator.parse_policy_document = _kept_policies(iam_evaluator.parse_policy_document)
    Parser.parse = _kept_expressions(Parser.parse)
    lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = IDLE_GAP_S
    lambda_svc._execute_function_warm = _in_turn(lambda_svc._execute_function_warm)
    lambda_svc._poll_dynamodb_streams = Streams(lambda_svc._poll_dynamodb_streams).wake


class MarkedWorker(lambda_runtime.Worker):  # type: ignore[misc]  # MiniStack has no types
    """A function's process whose log says where an invocation's lines end, and whose start is timed."""

    def _spawn(self) -> None:
        began = time.monotonic()
        super()._spawn()
        _processes_of(self.func_name).starts_in_s = time.monotonic() - began

    def _drain_stderr(self) -> str:
        lines: str = super()._drain_stderr()
        return lines.replace(END_OF_LOG, "").strip("\n")

    def _drain_stderr_bounded(self, *_: float, **__: float) -> str:
        lines: list[str] = []
        until = time.monotonic() + LOG_ENDS_WITHIN_S
        while time.monotonic() < until:
            open_ = self._stderr_thread.is_alive()
            try:
                line = self._stderr_queue.get(timeout=LOOKS_AGAIN_S)
            except queue.Empty:
                if not open_:
                    break
                continue
            if line == END_OF_LOG:
                break
            lines.append(line)
        return "\n".join(lines)


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


class Processes:
    """The processes of one function."""

    def __init__(self, most: int = PROCESSES, starts_in_s: float = STARTS_IN_S) -> None:
        """`most` at a time."""
        self._most = most
        self.starts_in_s = starts_in_s
        self._freed = threading.Condition()
        self.started = self._busy = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for one that is free, or for the time to start another."""
        with self._freed:
            if not self._freed.wait_for(self._is_free, self.starts_in_s if self.started else 0):
                if self.started >= self._most:
                    self._freed.wait_for(self._is_free)
                else:
                    self.started += 1
            self._busy += 1
        try:
            yield
        finally:
            with self._freed:
                self._busy -= 1
                self._freed.notify()

    def _is_free(self) -> bool:
        return self._busy < self.started


_functions: dict[str, Processes] = {}


def _processes_of(function: str) -> Processes:
    return _functions.setdefault(function, Processes())


def _in_turn(execute: Callable[[Any, Any, str], Any]) -> Callable[[Any, Any, str], Any]:
    def executed(function: Any, event: Any, request_id: str) -> Any:
        with _processes_of((function.get("config") or function)["FunctionName"]).one():
            return execute(function, event, request_id)

    return executed


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
