"""The embedded cloud beside the emulator as it is shipped, in turn in one run: what of it counts are the ratios."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.processes import Process, memory_mb, processes
from bench.tables import Cell, keep, show, table
from local.__main__ import up
from local.client import Client
from local.servers import Servers

BODY = {
    "model": "local-small",
    "input": {"text": "Summarize: The lamp needed nobody. The keeper distrusted it, then slept."},
}
CLIENTS = 8


@dataclass(slots=True)
class Side:
    """One of the two, and what was measured of it."""

    name: str
    servers: Servers
    client: Client
    pid: int
    alone_ms: list[float] = field(default_factory=list)
    """A job's time beyond the model's, with one client."""
    jobs_s: list[float] = field(default_factory=list)
    """With eight clients."""
    cpu_ms: list[float] = field(default_factory=list)
    """Of the emulator, for a job of eight clients."""

    def job(self) -> float:
        """Run one; milliseconds beyond the model.

        Raises:
            RuntimeError: it was refused, or did not succeed.
        """
        began = time.perf_counter()
        answer = self.client.submit(BODY)
        ended = self.client.finished(answer.body["id"]) if answer.status == 202 else answer.body
        took = (time.perf_counter() - began) * 1000
        if ended.get("status") != "succeeded":
            raise RuntimeError(f"{self.name}: {ended}")
        return took - sum(each["latency_ms"] or 0 for each in ended["attempts"])

    def round(self, jobs: int) -> None:
        """Measure once more."""
        self.alone_ms.append(median(self.job() for _ in range(max(5, jobs // 5))))
        before, began = self.emulator().cpu_ms, time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda _: self.job(), range(jobs)))
        self.jobs_s.append(jobs / (time.perf_counter() - began))
        self.cpu_ms.append((self.emulator().cpu_ms - before) / jobs)

    def emulator(self) -> Process:
        """The emulator's own process."""
        return next(each for each in processes(self.pid) if each.pid == self.pid)

    def memory_mb(self) -> float:
        """Memory of the emulator and all its functions; what processes share counts once."""
        return sum(memory_mb(each.pid) for each in processes(self.pid))


def run(folder: Path, rounds: int, jobs: int) -> None:
    """Measure both in turn, `rounds` times `jobs` jobs each; print and keep."""
    show(f"\nemulator: {rounds} rounds of {jobs} jobs, each as shipped and as patched …")
    sides = [_start(folder, "shipped", "bench.shipped"), _start(folder, "patched", "local.emulator")]
    try:
        for side in sides:
            side.round(jobs)  # processes start
            side.alone_ms, side.jobs_s, side.cpu_ms = [], [], []
        for _ in range(rounds):
            for side in sides:
                side.round(jobs)
        grown = {side.name: _grown(side, jobs) for side in sides}
        _show(sides[0], sides[1], grown)
    finally:
        for side in sides:
            side.servers.stop()


def _start(folder: Path, name: str, emulator: str) -> Side:
    servers = Servers(folder / name, show, emulator=emulator)
    servers.start(persist=False)
    stack = up(persist=False, folder=folder / name)
    client = Client(stack.outputs["ApiUrl"], stack.seeded.api_key)
    return Side(name, servers, client, servers.running()["cloud"].pid)


def _grown(side: Side, jobs: int) -> float:
    """Megabytes that the emulator's process grew by, for each of some jobs more."""
    before = side.emulator().rss_mb
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: side.job(), range(jobs)))
    return (side.emulator().rss_mb - before) / jobs


def _show(shipped: Side, patched: Side, grown: dict[str, float]) -> None:
    figures: dict[str, Callable[[Side], float]] = {
        "one client: ms beyond the model": lambda side: median(side.alone_ms),
        "eight clients: jobs a second": lambda side: median(side.jobs_s),
        "CPU of the emulator, ms a job": lambda side: median(side.cpu_ms),
        "memory in all, MB": lambda side: side.memory_mb(),
        "memory that a job leaves, MB": lambda side: grown[side.name],
    }
    measured = {name: (figure(shipped), figure(patched)) for name, figure in figures.items()}
    rows: list[list[Cell]] = [
        [name, before, after, after / before if before > 0 else None] for name, (before, after) in measured.items()
    ]
    show(table("The embedded cloud", ["", "as shipped", "patched", "ratio"], rows, decimals=2))
    keep("emulator", {name: {"shipped": before, "patched": after} for name, (before, after) in measured.items()})
