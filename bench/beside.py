"""A job's CPU time beside that of LiteLLM's proxy for the same request, in turn in one run.

The proxy is no dependency of ours: it comes from a virtual environment of its own, which is named by its folder
(`python -m venv litellm && litellm/bin/pip install 'litellm[proxy]'`). Both call the local model server with the same
2 KB, and it answers with as much. The proxy holds the connection meanwhile, keeps nothing and has no database; what it
took is read from the kernel, of all its processes. The job is that of `bench.cpu`: accepted, kept, budgeted, checked
before and after, told.
"""

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import urllib3

from bench import cpu
from bench.processes import processes
from bench.stack import Bench
from bench.tables import Cell, keep, show, table
from bench.texts import texts
from local.servers import NotStarted, free_port

MODEL = "small!echo"
WARM = 50
STARTS_WITHIN_S = 120


def run(bench: Bench, environment: Path, rounds: int, jobs: int) -> None:
    """Measure both in turn, so many times; print and keep."""
    show(f"\nlitellm: {rounds} rounds of {jobs} requests and as many jobs …")
    ours: list[float] = []
    theirs: list[float] = []
    loops: list[float] = []
    variables = cpu.environment(bench)
    with _proxy(environment, bench.up.models_url) as proxy:
        proxy.ask(WARM)
        for _ in range(rounds):
            theirs.append(proxy.ask(jobs))
            measured = cpu.measure(variables, bench.body(), jobs)
            ours.append(measured["median_ms"])
            loops.append(measured["loop_ms"])
    ratio = median(our / their for our, their in zip(ours, theirs, strict=True))
    rows: list[list[Cell]] = [
        ["LiteLLM's proxy, a request", *theirs, median(theirs)],
        ["all handlers, a job", *ours, median(ours)],
        ["a loop of plain Python", *loops, median(loops)],
    ]
    heads = ["", *(f"round {number}" for number in range(1, rounds + 1)), "median"]
    show(table(f"CPU time (ms), LiteLLM {proxy.version}", heads, rows, decimals=2))
    show(f"\na job takes {ratio:.2f} of a request of the proxy's")
    keep("litellm", {"version": proxy.version, "litellm_ms": theirs, "job_ms": ours, "loop_ms": loops, "ratio": ratio})


class Proxy:
    """A proxy that runs."""

    def __init__(self, pid: int, url: str, key: str, version: str) -> None:
        self.version = version
        self._key = key
        self._pid = pid
        self._url = f"{url}/v1/chat/completions"
        self._pool = urllib3.PoolManager(retries=False, timeout=60)

    def ask(self, number: int) -> float:
        """Ask so often, one after the other; CPU milliseconds of one.

        Raises:
            RuntimeError: it was refused.
        """
        said = list(texts().values())
        before = self._cpu_ms()
        for place in range(number):
            messages = [{"role": "user", "content": said[place % len(said)]}]
            body = json.dumps({"model": "bench", "messages": messages, "max_tokens": 2000}).encode()
            headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
            reply = self._pool.request("POST", self._url, body=body, headers=headers)
            if reply.status != 200:
                raise RuntimeError(f"the proxy answered {reply.status}: {reply.data[:500]!r}")
        return (self._cpu_ms() - before) / number

    def _cpu_ms(self) -> float:
        return sum(each.cpu_ms for each in processes(self._pid))


@contextmanager
def _proxy(environment: Path, models_url: str) -> Iterator[Proxy]:
    """One worker that knows one model, without a database, callbacks or telemetry."""
    folder = environment / "bin"
    listed = subprocess.run([folder / "python", "-m", "pip", "show", "litellm"], capture_output=True, text=True)  # noqa: S603 - the environment that was named
    version = listed.stdout.partition("Version: ")[2].partition("\n")[0]
    config = environment / "bench.json"
    known = {"model": f"openai/{MODEL}", "api_base": f"{models_url}/v1", "api_key": "sk-local"}
    key = f"sk-{secrets.token_urlsafe(32)}"
    settings = {
        "model_list": [{"model_name": "bench", "litellm_params": known}],
        "general_settings": {"master_key": key},
    }
    config.write_text(json.dumps(settings))  # which is YAML as well
    port = free_port(0)
    asked = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    own = {"LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with (environment / "bench.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - likewise
            [folder / "litellm", *asked, "--telemetry", "False"],
            env={**os.environ, **own, "PYTHONPATH": ""},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, environment / "bench.log")
        yield Proxy(process.pid, url, key, version)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    pool, until = urllib3.PoolManager(retries=False, timeout=2), time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if pool.request("GET", f"{url}/health/liveliness").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
    raise NotStarted(f"the proxy did not come up; see {log}")
