"""A burst of jobs through the embedded cloud as `make up` starts it: permissions checked, no meter.

It measures the emulator on this machine, and not AWS; how busy the machine was beside it is told with the figures.
"""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import urllib3

from bench.figures import percentile, since
from bench.memory import measure_memory
from bench.processes import processes
from bench.stack import Bench
from bench.tables import Cell, keep, show, table
from bench.texts import texts

SHARES = (50, 95, 99)
EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """One job: milliseconds until `202`, until its end was seen, and of these in the model."""

    submit_ms: float
    end_to_end_ms: float
    model_ms: float
    status: str


class Watch:
    """Samples the resident memory of the emulator and its function processes until it is left."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.emulator_mb = self.functions_mb = 0.0
        self.function_processes = 0

    def __enter__(self) -> "Watch":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            now = processes(self._pid)
            functions = [each.rss_mb for each in now if each.function]
            self.functions_mb = max(self.functions_mb, sum(functions))
            self.function_processes = max(self.function_processes, len(functions))
            self.emulator_mb = max(self.emulator_mb, sum(each.rss_mb for each in now if each.pid == self._pid))


def one_job(bench: Bench, number: int, until: float) -> Run | None:
    """Submit (the texts come in turn) and long-poll until the end; None when the time is over."""
    if time.monotonic() >= until:
        return None
    said = list(texts().values())
    began = time.perf_counter()
    answer = bench.api.submit(bench.body(said[number % len(said)]))
    submitted = time.perf_counter()
    if answer.status != 202:
        return Run((submitted - began) * 1000, 0, 0, f"refused {answer.status}")
    job: dict[str, Any] = {"status": "unknown"}
    while time.monotonic() < until and not job.get("ended_at"):
        job = bench.api.call("GET", f"/jobs/{answer.body['id']}?wait=20").body
    took = (time.perf_counter() - began) * 1000
    model = sum(each["latency_ms"] or 0 for each in job.get("attempts", []))
    return Run((submitted - began) * 1000, took, model, job["status"])


def asked_by_service(bench: Bench) -> dict[str, float]:
    """Requests that the emulator served, by service (`local.emulator`); during the run only functions ask."""
    counted: dict[str, int] = json.loads(urllib3.request("GET", f"{bench.cloud.url}/_broker/calls").data)
    found: dict[str, float] = {}
    for operation, number in counted.items():
        service = operation.partition(".")[0]
        found[service] = found.get(service, 0) + number
    return found


def _settle(bench: Bench, clients: int, until: float) -> None:
    """Rounds that are not measured, until one starts no process any more: the emulator starts them as it needs them."""
    known: set[int] = set()
    while time.monotonic() < until:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda number: one_job(bench, number, until), range(clients * 5)))
        now = {each.pid for each in processes(bench.pid)}
        if now <= known:
            return
        known = now


def run(bench: Bench, jobs: int, clients: int, seconds: float) -> None:
    """Measure, print and keep."""
    show(f"\nthroughput: {jobs} jobs of 2 KB by {clients} clients, at most {seconds:.0f} s …")
    _settle(bench, clients, until=time.monotonic() + seconds / 2)
    before, load = asked_by_service(bench), os.getloadavg()[0]
    until = time.monotonic() + seconds
    began = time.perf_counter()
    with Watch(bench.pid) as watch, ThreadPoolExecutor(clients) as pool:
        runs = [each for each in pool.map(lambda number: one_job(bench, number, until), range(jobs)) if each]
        took = time.perf_counter() - began
    time.sleep(3)  # publishing
    done = [each for each in runs if each.status == "succeeded"]
    if not done:
        raise RuntimeError(f"no job succeeded: {[each.status for each in runs][:5]}")
    grown = since(before, asked_by_service(bench))
    asked = {service: number / len(runs) for service, number in grown.items()}
    show(f"\nload of the machine before the run: {load:.1f} on {os.cpu_count()} cores")
    _show(runs, done, took, watch, asked)
    memory = measure_memory(bench)
    latencies = {name: [getattr(each, name) for each in done] for name in Run.__slots__ if name.endswith("_ms")}
    facts = {
        "jobs": jobs, "clients": clients, "succeeded": len(done), "seconds": took, "jobs_s": len(done) / took,
        **{name: {f"p{share}": percentile(values, share) for share in SHARES} for name, values in latencies.items()},
        "emulator_mb": watch.emulator_mb, "functions_mb": watch.functions_mb, "requests": asked,
        "peak_mb": memory, "load": load,
    }  # fmt: skip
    keep("throughput", facts)


def _show(runs: list[Run], done: list[Run], took: float, watch: Watch, asked: dict[str, float]) -> None:
    show("The emulator on this machine, with the clients beside it: not a measure of AWS.")
    show(f"\n{len(done)} of {len(runs)} jobs succeeded in {took:.1f} s: {len(done) / took:.1f} jobs a second")
    measured = {
        "submit": [each.submit_ms for each in done],
        "end to end, less the model": [each.end_to_end_ms - each.model_ms for each in done],
    }
    rows: list[list[Cell]] = [
        [name, *(percentile(values, share) for share in SHARES)] for name, values in measured.items()
    ]
    show(table("Latency (ms)", ["", *(f"{share} %" for share in SHARES)], rows))
    functions = f"{watch.function_processes} function processes {watch.functions_mb:.0f} MB"
    show(f"\npeak memory: emulator {watch.emulator_mb:.0f} MB, {functions}")
    requests: list[list[Cell]] = [[service, number] for service, number in asked.items()]
    show(table("AWS requests of one job, under load", ["", "requests"], [*requests, ["all", sum(asked.values())]]))
