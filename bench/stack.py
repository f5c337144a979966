"""The stack that the bench runs on: the embedded cloud with a meter, in a work folder of its own."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from broker.cli import registry_of
from broker.clock import now_ms
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from bench.metering import PATH
from bench.tables import show
from local.__main__ import Up, up
from local.client import Client
from local.deployment import STACK, Cloud
from local.servers import ROOT, NotStarted, Servers

MODEL = "bench-echo"
LARGE_MODEL = "bench-large"
"""Its window takes what no real model takes, for the largest request that the API lets in."""

TEXT_BYTES = 2048


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
        return Client(self.cloud.base_url(self.up.outputs["ApiId"]), self.up.seeded.api_key)

    def meter(self) -> list[dict[str, Any]]:
        """The meter's rows (`bench.metering.FIELDS`)."""
        reply = urllib3.request("GET", f"{self.cloud.url}{PATH}")
        if reply.status != 200:
            raise NotStarted("a stack without a meter runs in this folder; stop it, or choose another --folder")
        rows: list[dict[str, Any]] = json.loads(reply.data)
        return rows

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

    def body(self, **more: Any) -> dict[str, Any]:
        """A request with 2 KB of English in, and as much out: the model answers with what it was told."""
        document = (ROOT / "examples" / "lighthouse.txt").read_text()
        text = (document * (TEXT_BYTES // len(document) + 1))[:TEXT_BYTES]
        return {"model": MODEL, "input": {"text": text}, "parameters": {"max_output_tokens": 1000}, **more}


def _prepare(bench: Bench) -> None:
    """Register the model, and mark each function for the meter."""
    model = {
        "id": MODEL,
        "provider": "openai",
        "name": "small!echo",
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
    large = model | {"id": LARGE_MODEL, "context_window": 5_000_000}
    document = parse_registry({"models": [model, large]})
    apply(registry_of(bench.cloud, bench.up.outputs), document, by="bench", now=now_ms())
    functions = bench.cloud.client("lambda")
    for logical_id, facts in bench.functions().items():
        variables = facts["Environment"]["Variables"] | {"AWS_SDK_UA_APP_ID": logical_id}
        functions.update_function_configuration(
            FunctionName=facts["FunctionName"], Environment={"Variables": variables}
        )


@contextmanager
def running(folder: Path, *, keep: bool) -> Iterator[Bench]:
    """The stack, started where it does not run yet; stopped at the end unless it is to be kept."""
    servers = Servers(folder, show, emulator="bench.metering")
    if not servers.running():
        (folder / "seeded.json").unlink(missing_ok=True)
        servers.start(persist=False)
    try:
        bench = Bench(up(persist=False, folder=folder), servers.running()["cloud"].pid)
        bench.meter()
        _prepare(bench)
        warm(bench, 5)
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
