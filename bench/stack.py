"""The stacks that the bench runs on: the embedded cloud as users run it, or with a meter in it."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from broker.cli import registry_of
from broker.clock import now_ms
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from bench.metering import MEASURES, PATH, Row
from bench.tables import show
from bench.texts import texts
from local.__main__ import Up, up
from local.client import Client
from local.deployment import STACK, Cloud
from local.servers import NotStarted, Servers

MODEL = "bench-echo"
LARGE_MODEL = "bench-large"
"""Its window takes what no real model takes, for the largest request that the API lets in."""

SLOW_MODEL = "bench-slow"
SLOW_S = 20
"""What it takes to answer: long enough to be polled meanwhile."""

REFUSED_MODEL = "bench-refused"
"""Its provider does not take our key."""

METERED = "bench.metering"
PLAIN = "local.emulator"

KINDS: dict[str, dict[str, Any]] = {
    MODEL: {"name": "small!echo"},
    LARGE_MODEL: {"name": "small!echo", "context_window": 5_000_000},
    SLOW_MODEL: {"name": f"small!echo,latency={SLOW_S}"},
    REFUSED_MODEL: {"name": "small!401"},
}


@dataclass(frozen=True)
class Bench:
    """The running stack and the emulator's process id."""

    up: Up
    pid: int

    @property
    def cloud(self) -> Cloud:
        """The embedded cloud."""
        return self.up.cloud

    @property
    def api(self) -> Client:
        """The REST API as the tenant `demo`."""
        return Client(self.up.outputs["ApiUrl"], self.up.seeded.api_key)

    @property
    def other(self) -> Client:
        """The same as the tenant `other`."""
        return Client(self.api.base_url, self.up.seeded.other_key)

    def rows(self) -> list[dict[str, Any]]:
        """What the meter has booked since the stack started (`bench.metering.Meter.rows`)."""
        reply = urllib3.request("GET", f"{self.cloud.url}{PATH}")
        if reply.status != 200:
            raise NotStarted("a stack without a meter runs in this folder; stop it, or choose another --folder")
        rows: list[dict[str, Any]] = json.loads(reply.data)
        return rows

    def meter(self) -> dict[Row, dict[str, float]]:
        """The same by row, the measures alone."""
        return {
            (row["function"], row["operation"], row["target"]): {name: row[name] for name in MEASURES}
            for row in self.rows()
        }

    def physical(self, logical_id: str) -> str:
        """The physical id of a resource of the template."""
        asked = self.cloud.client("cloudformation")
        found = asked.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def functions(self) -> dict[str, dict[str, Any]]:
        """The configuration of each function, by its logical id."""
        found: dict[str, dict[str, Any]] = {}
        for page in self.cloud.client("lambda").get_paginator("list_functions").paginate():
            for each in page["Functions"]:
                found[each["FunctionName"].split("-")[-2]] = each
        return found

    def body(self, text: str = "", **more: Any) -> dict[str, Any]:
        """A request with 2 KB in (prose unless said), and as much out: the model answers with what it was told."""
        said = {"input": {"text": text or texts()["prose"]}, "parameters": {"max_output_tokens": 2000}}
        return {"model": MODEL, **said, **more}


def register(bench: Bench, kinds: dict[str, dict[str, Any]]) -> None:
    """Add models to the registry. Each makes the reasons of all jobs longer, so those of one run alone are its own."""
    common = {
        "provider": "openai",
        "endpoint": f"{bench.up.models_url}/v1",
        "secret": "providers/local",
        "tasks": ["chat"],
        "context_window": 100_000,
        "max_output_tokens": 4096,
        "price_in_usd": 0.15,
        "price_out_usd": 0.6,
        "rank": 1000,
        "timeout_s": 60,
    }
    document = parse_registry({"models": [{"id": name, **common, **own} for name, own in kinds.items()]})
    apply(registry_of(bench.cloud, bench.up.outputs), document, by="bench", now=now_ms())


def _mark(bench: Bench) -> None:
    """Have each function say to the meter which it is."""
    functions = bench.cloud.client("lambda")
    for logical_id, facts in bench.functions().items():
        variables = facts["Environment"]["Variables"] | {"AWS_SDK_UA_APP_ID": logical_id}
        functions.update_function_configuration(
            FunctionName=facts["FunctionName"], Environment={"Variables": variables}
        )


def _started(servers: Servers, folder: Path, *, metered: bool) -> Bench:
    if not servers.running():
        (folder / "seeded.json").unlink(missing_ok=True)
        servers.start(persist=False)
    bench = Bench(up(persist=False, folder=folder), servers.running()["cloud"].pid)
    register(bench, KINDS)
    if metered:
        bench.rows()
        _mark(bench)
    warm(bench, 5)
    return bench


@contextmanager
def running(folder: Path, emulator: str, *, keep: bool, concurrency: int | None = None) -> Iterator[Bench]:
    """The stack (`METERED` or `PLAIN`), started where it does not run yet; stopped at the end unless it is kept.

    Its functions are not forked: as in Lambda, each process holds what it loads itself. With a `concurrency` no more
    functions run at a time, and they are forked, for what counts is how they wait.
    """
    own = {"LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency)} if concurrency else {"FORK_FUNCTIONS": "off"}
    servers = Servers(folder, show, emulator=emulator, **own)
    try:
        with redirect_stdout(sys.stderr):  # what is printed is for tables
            bench = _started(servers, folder, metered=emulator == METERED)
        yield bench
    finally:
        if not keep:
            servers.stop()


def warm(bench: Bench, jobs: int) -> None:
    """Run a few jobs, so that processes are up and registries are read."""
    for _ in range(jobs):
        answer = bench.api.submit(bench.body())
        if answer.status != 202:
            raise NotStarted(f"the stack refuses jobs: {answer.body}")
        ended = bench.api.finished(answer.body["id"])
        if ended.get("status") != "succeeded":
            raise NotStarted(f"a job did not succeed: {ended.get('status')} {ended.get('error')}")
    time.sleep(2)  # what follows a job (publishing) is over by then
