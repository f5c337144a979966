"""Runs in a fresh interpreter, without site packages: imports one handler, builds what it uses, says what that took.

    python -I -S -B starting.py TASK LAYER MODULE [BUILDER …]

A builder is a function of `broker.bootstrap`'s modules; `provider` stands for what a first call loads besides.
Prints `{"import_ms", "use_ms", "import_mb", "use_mb"}`, each from the start of the import.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path


def peak_mb() -> float:
    """The most memory that was resident so far, in MB of 2**20 bytes.

    `VmHWM` rather than `getrusage`: across `exec`, Linux hands on the parent's `ru_maxrss`.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def use(builder: str) -> None:
    """Build one use case, or load what its first call loads."""
    if builder == "provider":
        import_module("broker.providers").lookup("openai")
        return
    modules = [import_module(f"broker.bootstrap.{name}") for name in ("adapters", "doors", "running")]
    next(getattr(module, builder) for module in modules if hasattr(module, builder))()


def main(task: str, layer: str, module: str, *builders: str) -> None:
    """Measure once."""
    sys.path[:0] = [task, layer]
    began = time.perf_counter()
    import_module(module)
    imported, import_mb = time.perf_counter(), peak_mb()
    for builder in builders:
        use(builder)
    used, use_mb = time.perf_counter(), peak_mb()
    facts = {
        "import_ms": (imported - began) * 1000,
        "use_ms": (used - began) * 1000,
        "import_mb": import_mb,
        "use_mb": use_mb,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
