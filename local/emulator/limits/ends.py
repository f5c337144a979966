"""How a function's process ends that has taken too much memory, and what is told of one that ended by itself.

AWS kills an environment that has more than its function's `MemorySize`; the invocation fails of `Runtime.ExitError`, as
it does when the process exits (Lambda Developer Guide, "Troubleshoot execution issues in Lambda"). Here the largest
size of the process so far (`VmHWM` of `/proc/[pid]/status`) is looked at when an invocation ends, and counts with what
Lambda's own runtime takes. MiniStack kills nothing, and calls an exit `Runtime.HandlerError`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

RUNTIME_MB = 20
"""What Lambda's runtime takes beside the function's process. It is more (`bench.memory` assumes 30), but a forked
process also holds packages that its function does not use."""

KILLED = "Runtime exited with error: signal: killed"
EXITED = "Runtime exited without providing a reason"

ENDS = {KILLED: KILLED, "Worker process died": EXITED}
"""What a worker says of its process, and what AWS says."""

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def patch() -> None:
    """Change MiniStack in memory, before it starts."""
    lambda_svc._execute_function_warm = _told(lambda_svc._execute_function_warm)


def takes_too_much(process: int, memory_mb: int) -> bool:
    """Whether a function's process has had more memory than its function has; never where there is no `/proc`."""
    try:
        peak = PEAK.search(Path(f"/proc/{process}/status").read_text())
    except OSError:
        return False
    return peak is not None and int(peak[1]) / 1024 + RUNTIME_MB > memory_mb


def _told(execute: Callable[[Any, Any, str], Any]) -> Callable[[Any, Any, str], Any]:
    def executed(function: Any, event: Any, request_id: str) -> Any:
        result = execute(function, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and (end := ENDS.get(str(body.get("errorMessage")))):
            told = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {end}"}
            return result | {"body": told}
        return result

    return executed
