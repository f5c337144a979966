"""How MiniStack 1.5.33 is made to run functions without a wait, and in few processes.

What they answer and log stays as it is.

- After each invocation it waits for the function's log to fall silent: 5 ms, and 50 ms where nothing was logged. Here
  the function's process writes an end mark, and nothing waits.
- It starts a process for each invocation at a time, and they stay: seconds of CPU and 65 MB each. Here an invocation
  waits for a free process of its function as long as a new one takes to start, and then gets the new one.
- It starts each process from nothing, after unpacking code and layers anew: a second of CPU, of which half is the one
  interpreter's that serves everything. Here it is forked from a process that has loaded the layer's packages
  (`forking`), and finds what was unpacked once (`unpacking`).

A test fails when a new release no longer fits.
"""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator.forking import Zygotes
from local.emulator.rewriting import replaced, rewrite
from local.emulator.unpacking import Archive

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

PROCESSES = int(os.environ.get("PROCESSES_PER_FUNCTION", "8"))
"""Of one function, at a time; what is more waits."""

FORKS = os.environ.get("FORK_FUNCTIONS", "on") == "on"
"""Off where each process is to be known by its command, and to hold only what it loads itself: its memory is measured
then, and not limited."""

STARTS_IN_S = 0.5
"""What a process takes to start, until it was measured: on a busy machine it is more. To wait as long for one that is
free costs at most twice the better choice."""

STARTED = (
    (
        """    with open(os.path.join(self._tmpdir, "code.zip"), "wb") as f:
        f.write(self.code_zip)
    with zipfile.ZipFile(os.path.join(self._tmpdir, "code.zip")) as zf:
""",
        "    with Archive(self.code_zip) as zf:\n",
    ),
    (
        """                    with open(lzip, "wb") as lf:
                        lf.write(layer_data)
                    with zipfile.ZipFile(lzip) as lzf:
""",
        "                    with Archive(layer_data) as lzf:\n",
    ),
    ("zipfile.LargeFileError", "zipfile.LargeZipFile"),  # there is no such name
    ("self._proc = subprocess.Popen(", "self._proc = start_function("),
)
"""Changes of how a process is started."""

zygotes = Zygotes()


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    where = "the script that runs functions"
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced(script, BEFORE_REPLY, MARKED + BEFORE_REPLY, where=where)
    rewrite(AsShipped, "_spawn", *STARTED)
    lambda_runtime.Archive = Archive
    lambda_runtime.start_function = zygotes.start if FORKS else subprocess.Popen
    lambda_runtime.Worker = MarkedWorker
    lambda_svc._execute_function_warm = _in_turn(lambda_svc._execute_function_warm)


AsShipped: Any = lambda_runtime.Worker


class MarkedWorker(AsShipped):  # type: ignore[misc]  # MiniStack has no types
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
