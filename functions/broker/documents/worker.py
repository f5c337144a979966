"""The process that reads one file: `python -m broker.documents.worker`, its task as JSON on standard input.

It bounds itself before it reads anything, prints one JSON object, and has no credentials in its environment.
"""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.documents.document import BrokenDocument, DocumentError, EmptyDocument, Extract, TooMuch
from broker.documents.extract import Source, extractor
from broker.documents.gathering import take_pictures
from broker.documents.kinds import kind_of
from broker.documents.limits import Limits

MOST_OPEN_FILES = 64
MIB = 1 << 20
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def main() -> None:
    """Read the task, and say what came of it."""
    task = json.load(sys.stdin)
    limits = Limits.of(task["limits"])
    _bound(limits, task["seconds"])
    begun = time.monotonic()
    kind: str | None = None
    result: dict[str, Any]
    try:
        path = Path(task["path"])
        with path.open("rb") as file:
            kind = kind_of(file, task["name"])
        source = Source(path, task["name"], limits, Path(task["folder"]))
        found = extractor(kind)(source)
        if limits.gathered:
            found = replace(found, pages=take_pictures(source, found.pages))
        if not found.inner and not any(page.text.strip() or page.scans for page in found.pages):
            raise EmptyDocument("The document has no text.")
        result = _facts(found)
    except DocumentError as error:
        result = {"error": error.facts()}
    except MemoryError:
        result = {"error": TooMuch("Reading it takes more memory than it may have.", code="out_of_memory").facts()}
    except OSError:
        result = {"error": BrokenDocument("The file cannot be read from the disk.").facts()}
    except RecursionError:
        result = {"error": TooMuch("Its parts are nested too deeply.", code="nested_too_deep").facts()}
    facts = {**result, "kind": kind, "seconds": time.monotonic() - begun, "peak_mb": peak_mb()}
    sys.stdout.buffer.write(json.dumps(facts).encode())


def _facts(found: Extract) -> dict[str, Any]:
    return {
        "pages": [
            {"number": page.number, "text": page.text, "scans": [str(scan) for scan in page.scans]}
            for page in found.pages
        ],
        "inner": [
            {"name": each.name, "path": each.path and str(each.path), "error": each.error and each.error.facts()}
            for each in found.inner
        ],
    }


def _bound(limits: Limits, seconds: float) -> None:
    """No more memory, CPU, files or output than the limits say; no core dump; and no life beyond who waits for it."""
    import ctypes
    import resource
    import signal

    cpu = int(seconds) + 2
    bounds = {
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_FSIZE: limits.unpacked_bytes,
        resource.RLIMIT_NOFILE: MOST_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # elsewhere it is not kept, or not given
        bounds[resource.RLIMIT_AS] = limits.memory_mb * MIB
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for which, most in bounds.items():
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))


def peak_mb() -> float:
    """The most memory that this process had, MiB."""
    try:
        with open("/proc/self/status") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
            return round(int(peak.split()[1]) / 1024, 1)
    except (OSError, StopIteration):
        import resource

        return round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024), 1
        )


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # libraries have been seen to fail while they tidy up after a hostile file
