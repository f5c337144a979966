"""What a job costs, from what it used and a dated price list: arithmetic only."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
HOURS_A_MONTH = 730
LONGEST_POLL_S = 20
"""What the bench's client asks for; API Gateway cuts a call after 29 seconds."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """Dollars for one unit each, and what is assumed, by the names of `prices.json`."""

    usd: dict[str, float]
    assumed: dict[str, Any]
    as_of: str

    @classmethod
    def load(cls, path: Path = PRICES) -> "PriceList":
        """Read the list."""
        read = json.loads(path.read_text())
        return cls(
            {name: each["usd"] for name, each in read["prices"].items()},
            {name: each["value"] for name, each in read["assumed"].items()},
            read["as_of"],
        )


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """What one job takes of one function, on average; times in milliseconds."""

    memory_mb: int
    invocations: float
    cpu_ms: float
    requests: dict[str, float] = field(default_factory=dict)
    """AWS requests by `service.Operation`."""
    log_bytes: float = 0


@dataclass(frozen=True, slots=True)
class JobUse:
    """What one job takes of everything, on average."""

    functions: dict[str, FunctionUse]
    api_requests: float
    writes: float
    reads: float
    sqs_sends: float
    queue_hops: float
    """Messages that an event source hands to a function."""
    events: float
    transitions: float
    steps: tuple[str, ...]
    """The functions that the workflow calls, in their order."""
    table_users: int = 0
    """Pairs of a function and a table that it uses."""
    reply_bytes: float = 0
    tenant_writes: float = 0
    """Write units of the one item that all jobs of a tenant share: its budget."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: quantity for one job, dollars for a million jobs."""

    name: str
    quantity: float
    unit: str
    usd: float


def waits_ms(requests: Mapping[str, float], latency: Mapping[str, float]) -> float:
    """What a function waits for AWS: by operation where one is listed, else by service."""
    return sum(n * latency.get(name, latency.get(name.partition(".")[0], 0.0)) for name, n in requests.items())


def billed_ms(function: FunctionUse, prices: PriceList, model_s: float = 0) -> float:
    """Billed milliseconds of one job in one function: CPU at the size's share of a vCPU, AWS requests, the model."""
    stretch: float = max(1.0, prices.assumed["vcpu_mb"] / function.memory_mb)
    return function.cpu_ms * stretch + waits_ms(function.requests, prices.assumed["latency_ms"]) + model_s * 1000


def express_ms(job: JobUse, prices: PriceList, model_s: float) -> float:
    """How long the workflow runs, in whole 100 milliseconds as it is billed."""
    overhead: float = prices.assumed["step_overhead_ms"]
    took = sum(billed_ms(job.functions[name], prices) + overhead for name in job.steps) + model_s * 1000
    return math.ceil(took / 100) * 100


def gb_s(memory_mb: float, ms: float) -> float:
    """GB-seconds."""
    return memory_mb / 1024 * ms / 1000


def bill(job: JobUse, prices: PriceList, model_s: float) -> list[Line]:
    """The lines of a million jobs that each wait `model_s` seconds for their model."""
    usd, assumed = prices.usd, prices.assumed
    express = gb_s(assumed["express_memory_mb"], express_ms(job, prices, model_s))
    waiting = job.functions["InvokeModelFunction"]
    model = gb_s(waiting.memory_mb, model_s * 1000)
    working = sum(gb_s(each.memory_mb, billed_ms(each, prices)) for each in job.functions.values())
    hops = job.queue_hops * 2 / assumed["receive_batch"]
    log_bytes = sum(each.log_bytes for each in job.functions.values())
    log_bytes += job.api_requests * assumed["access_log_bytes"]
    quantities = [
        ("API Gateway requests", job.api_requests, "requests", usd["api_request"]),
        ("Lambda invocations", sum(each.invocations for each in job.functions.values()), "", usd["lambda_request"]),
        ("Lambda, waiting for the model", model, "GB-s", usd["lambda_gb_s"]),
        ("Lambda, all other time", working, "GB-s", usd["lambda_gb_s"]),
        ("Express workflow starts", 1.0, "", usd["express_request"]),
        ("Express workflow duration", express, "GB-s", usd["express_gb_s"]),
        ("DynamoDB writes", job.writes, "units", usd["dynamodb_write"]),
        ("DynamoDB reads", job.reads, "units", usd["dynamodb_read"]),
        ("SQS requests", job.sqs_sends + hops, "requests", usd["sqs_request"]),
        ("EventBridge events", job.events, "events", usd["event"]),
        ("CloudWatch Logs", log_bytes / 1e9, "GB", usd["log_gb"]),
        (
            "X-Ray traces",
            sum(number * assumed["trace_share"][kind] for kind, number in assumed["traces_per_job"].items()),
            "traces",
            usd["trace"],
        ),
        ("KMS requests", kms_requests(job, assumed) / assumed["jobs_a_month"], "requests", usd["kms_request"]),
        ("S3 requests", 0.0, "", 0.0),
        ("Data out", job.reply_bytes / 1e9, "GB", usd["egress_gb"]),
    ]
    return [Line(name, quantity, unit, quantity * each * MILLION) for name, quantity, unit, each in quantities]


def kms_requests(job: JobUse, assumed: Mapping[str, Any]) -> float:
    """What a month takes, whatever the number of jobs."""
    minutes = HOURS_A_MONTH * 60
    tables: float = job.table_users * minutes / assumed["table_key_minutes"]
    queues: float = assumed["queue_users"] * HOURS_A_MONTH
    return tables + queues


def standard(job: JobUse, prices: PriceList) -> float:
    """Dollars of a million jobs' transitions where they run as Standard, in place of both Express lines."""
    return job.transitions * prices.usd["standard_transition"] * MILLION


def long_poll(job: JobUse, prices: PriceList, model_s: float) -> float:
    """Dollars more for a million jobs whose client holds a long poll open while the model works.

    The waiting function is `api`; each look is one read (first after 0.1 s, then ever later, at most every second).
    The CPU time of the looks is left out.
    """
    held, looks, pause = min(model_s, LONGEST_POLL_S), 0, 0.1
    left = held
    while left > 0:
        left, looks, pause = left - pause, looks + 1, min(pause * 1.3, 1.0)
    memory = job.functions["ApiFunction"].memory_mb
    polls = max(0, math.ceil(model_s / LONGEST_POLL_S) - 1)
    lambda_usd = gb_s(memory, model_s * 1000) * prices.usd["lambda_gb_s"]
    reads = looks * model_s / held * prices.usd["dynamodb_read"]
    return (lambda_usd + reads + polls * (prices.usd["api_request"] + prices.usd["lambda_request"])) * MILLION


def idle(job: JobUse, prices: PriceList) -> list[Line]:
    """What a month costs without a single job."""
    sweep = prices.assumed["sweep"]
    memory = job.functions["ApiFunction"].memory_mb if "SweepFunction" not in job.functions else 0
    memory = memory or job.functions["SweepFunction"].memory_mb
    receives = prices.assumed["idle_receives_a_month"]
    run = gb_s(memory, sweep["billed_ms"]) * prices.usd["lambda_gb_s"] + prices.usd["lambda_request"]
    once = run + sweep["reads"] * prices.usd["dynamodb_read"]
    return [
        Line("event sources reading empty queues", receives, "requests", receives * prices.usd["sqs_request"]),
        Line("the sweep", sweep["invocations"], "runs", sweep["invocations"] * once),
    ]
