"""How much memory each function needs, from the peaks of its processes, and the sizes that follow."""

import random
import time

from bench.figures import memory_size
from bench.processes import processes
from bench.stack import LARGE_MODEL, Bench
from bench.tables import Cell, show, table

RUNTIME_MB = 30
"""Assumed: what Lambda's own runtime, and TLS to AWS, take beside what is measured here."""

MARGIN = 1.15
SIZES = (128, 192, 256, 320, 384, 448, 512)

FLOOR_MB = 256
"""Below it CPU time stretches more than sevenfold and costs the same, for it is paid by size times time."""

WAITING = "InvokeModelFunction"
"""The one function whose time is a provider's: every MB of it is paid for while it waits, so it gets no floor."""

LARGE_BYTES = 4_000_000
"""Of one job: about what Lambda's limit of 6 MB for a request leaves to a prompt."""


def least_size(peak_mb: float) -> int:
    """The smallest size that holds a measured peak."""
    return memory_size(peak_mb, runtime_mb=RUNTIME_MB, margin=MARGIN, sizes=SIZES)


def size_for(function: str, peak_mb: float) -> int:
    """The size that a function should have, by its logical id."""
    least = least_size(peak_mb)
    return least if function == WAITING else max(least, FLOOR_MB)


def measure_memory(bench: Bench) -> dict[str, dict[str, float]]:
    """Peaks of the function processes after small jobs and after a large one; printed, and given as JSON."""
    small = _peaks(bench)
    words = bench.body()["input"]["text"].split()
    chosen = random.Random(7).choices(words, k=LARGE_BYTES // 6)  # noqa: S311 - a text that compresses like any other
    answer = bench.api.submit(bench.body(model=LARGE_MODEL, input={"text": " ".join(chosen)}))
    ended = bench.api.finished(answer.body["id"]) if answer.status == 202 else {"status": answer.status}
    time.sleep(2)
    after = _peaks(bench)
    configured = bench.functions()
    rows: list[list[Cell]] = []
    found = {}
    for name in sorted(after):
        sizes = (least_size(after[name]), size_for(name, after[name]), configured[name]["MemorySize"])
        rows.append([name, small.get(name), after[name], *sizes])
        found[name] = {"small_mb": small.get(name, 0.0), "large_mb": after[name], "memory_size": sizes[1]}
    heads = ["function", "MB, 2 KB jobs", f"MB, a {LARGE_BYTES / 1e6:.0f} MB job", "least size", "size", "template's"]
    show(table(f"Peak memory of the function processes (the large job: {ended['status']})", heads, rows))
    show(
        f"least size = (MB + {RUNTIME_MB} assumed for Lambda's runtime) * {MARGIN}, the next size up; size = that, and"
    )
    show(f"at least {FLOOR_MB} for all but {WAITING}.")
    return found


def _peaks(bench: Bench) -> dict[str, float]:
    peaks: dict[str, float] = {}
    for each in processes(bench.pid):
        if each.function:
            peaks[each.function] = max(peaks.get(each.function, 0), each.peak_mb)
    return peaks
