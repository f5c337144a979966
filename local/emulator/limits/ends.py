"""How a function's process ends that has taken too much memory, and what is told of one that ended by itself.

AWS kills an environment that has more than its function's `MemorySize`; the invocation fails of `Runtime.ExitError`, as
it does when the process exits (Lambda Developer Guide, "Troubleshoot execution issues in Lambda"). Here the process
looks, when an invocation ends, at the largest size that it has had (`ru_maxrss` of `getrusage(2)`), to which comes what
Lambda's own runtime takes, and has itself ended. MiniStack ends none for that, and tells an exit as any other failure.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator.rewriting import replaced

RUNTIME_MB = 20
"""What Lambda's runtime takes beside the function's process. It is more (`bench.memory` assumes 30), but a forked
process also holds packages that its function does not use."""

KILLED = "Runtime exited with error: signal: killed"
EXITED = "Runtime exited without providing a reason"

ENDS = {KILLED: KILLED, "Worker process died": EXITED}
"""What a worker says of its process, and what AWS says."""

AS_SHIPPED = """        try:
            result = handler_fn(event, context)
"""

# A reply of this status has MiniStack end the process. The line before the handler's reply, whatever that says.
LOOKED_AT = f"""        try:
            try:
                result = handler_fn(event, context)
            finally:
                _took_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + {RUNTIME_MB}
                if _took_mb > init.get("memory", 128):
                    _real_stdout.write(json.dumps({{"status": "error", "error": {KILLED!r}}}) + "\\n")
"""


def patch(*, limit_memory: bool) -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    if limit_memory:
        script = f"import resource\n{lambda_runtime._PYTHON_WORKER_SCRIPT}"
        where = "the script that runs functions"
        lambda_runtime._PYTHON_WORKER_SCRIPT = replaced(script, AS_SHIPPED, LOOKED_AT, where=where)
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
