"""How a function's process ends that takes too much memory, and what is told of one that ended by itself.

AWS kills an environment that has more than its function's `MemorySize`, in the midst of its work; the invocation fails
of `Runtime.ExitError`, as it does when the process exits (Lambda Developer Guide, "Troubleshoot execution issues in
Lambda"). Here a thread of the process looks, while an invocation runs, at the largest size that the process has had
(`ru_maxrss` of `getrusage(2)`), to which comes what Lambda's own runtime takes, and once more before it replies.
MiniStack ends none for that, and tells an exit as any other failure.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator.rewriting import replaced

RUNTIME_MB = 20
"""What Lambda's runtime takes beside the function's process. It is more (`bench.memory` assumes 30), but a forked
process also holds packages that its function does not use."""

LOOKS_EVERY_S = 0.02
"""While an invocation runs. What was taken and given back between two looks counts as well."""

KILLED = "Runtime exited with error: signal: killed"
EXITED = "Runtime exited without providing a reason"

ENDS = {KILLED: KILLED, "Worker process died": EXITED}
"""What a worker says of its process, and what AWS says."""

WATCH = f"""
import resource, signal, threading

# Held while nothing runs: the watching thread waits for it, and never says anything in the midst of a reply.
_idle = threading.Lock()
_idle.acquire()

def _kill_if_too_large(replies, most_mb):
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + {RUNTIME_MB} > most_mb:
        replies.write(json.dumps({{"status": "error", "error": {KILLED!r}}}) + "\\n")
        replies.flush()
        os.kill(os.getpid(), signal.SIGKILL)

def _watch(replies, most_mb):
    while True:
        with _idle:
            _kill_if_too_large(replies, most_mb)
        time.sleep({LOOKS_EVERY_S})

def run():
"""
"""What comes before the script's main function. A reply of that status has MiniStack end the process."""

CHANGES = (
    ("\ndef run():\n", WATCH),
    (
        """    while True:
        line = sys.stdin.readline()
""",
        """    _watched = (_real_stdout, init.get("memory", 128))
    threading.Thread(target=_watch, args=_watched, daemon=True).start()
    while True:
        line = sys.stdin.readline()
""",
    ),
    (
        """        try:
            result = handler_fn(event, context)
""",
        """        try:
            _idle.release()
            try:
                result = handler_fn(event, context)
            finally:
                _idle.acquire()
                _kill_if_too_large(*_watched)
""",
    ),
)
"""Changes of the script that runs functions."""


def patch(*, limit_memory: bool) -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    if limit_memory:
        script = lambda_runtime._PYTHON_WORKER_SCRIPT
        for before, after in CHANGES:
            script = replaced(script, before, after, where="the script that runs functions")
        lambda_runtime._PYTHON_WORKER_SCRIPT = script
    lambda_svc._execute_function_warm = _told(lambda_svc._execute_function_warm)


def _told(execute: Callable[[Any, Any, str], Any]) -> Callable[[Any, Any, str], Any]:
    def executed(function: Any, event: Any, request_id: str) -> Any:
        result = execute(function, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and (end := ENDS.get(str(body.get("errorMessage")))):
            told = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {end}"}
            return result | {"body": told}
        return result

    return executed
