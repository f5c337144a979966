"""What a job costs, from what it used and a dated price list: arithmetic only.

Prices are those of AWS's public price lists for us-east-1 as of November 2026, without free tiers, discounts or savings
plans; `prices.json` has each with the page that it is from, and each assumption with its reason. No figure here is a
time that was measured: what a function takes is computed from counts (`cpu_ms`, `waits_ms`), so that equal counts give
equal dollars on any machine.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.template import archive_days, parameter, reservoir

PRICES = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
HOURS_A_MONTH = 730
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
WAITING = "InvokeModelFunction"
API = "ApiFunction"


@dataclass(frozen=True, slots=True)
class PriceList:
    """Dollars for one unit each, and what is assumed, by the names of `prices.json`."""

    usd: dict[str, float]
    assumed: dict[str, Any]
    as_of: str

    @classmethod
    def load(cls, path: Path = PRICES) -> "PriceList":
        """Read the list; what the template says is not assumed but read from there."""
        read = json.loads(path.read_text())
        assumed = {name: each["value"] for name, each in read["assumed"].items()}
        assumed["trace_rules"]["api"] = {"reservoir": reservoir(), "rate": parameter("TraceRate")}
        if parameter("TraceSampling") != "Active":
            assumed["trace_rules"]["other"] = {"reservoir": 0, "rate": 0}
        kept = {"log_days": parameter("LogRetentionDays"), "archive_days": archive_days()}
        return cls({name: each["usd"] for name, each in read["prices"].items()}, assumed | kept, read["as_of"])


@dataclass(frozen=True, slots=True)
class Function:
    """What one job takes of one function."""

    memory_mb: int
    invocations: float
    requests: dict[str, float] = field(default_factory=dict)
    """AWS requests by `service.Operation`."""
    log_bytes: float = 0

    def plus(self, other: "Function", times: float) -> "Function":
        """With what another takes of it, so many times."""
        names = dict.fromkeys([*self.requests, *other.requests])
        requests = {name: self.requests.get(name, 0) + times * other.requests.get(name, 0) for name in names}
        return replace(
            self,
            invocations=self.invocations + times * other.invocations,
            requests=requests,
            log_bytes=self.log_bytes + times * other.log_bytes,
        )


ADDED = ("api_requests", "reads", "writes", "reply_bytes")


@dataclass(frozen=True, slots=True)
class Job:
    """What one job takes of everything; a poll by itself is one without a workflow."""

    functions: dict[str, Function]
    api_requests: float = 0
    writes: float = 0
    reads: float = 0
    sqs_sends: float = 0
    queue_hops: float = 0
    """Messages that an event source hands to a function."""
    events: float = 0
    event_bytes: float = 0
    s3_puts: float = 0
    s3_gets: float = 0
    transitions: float = 0
    steps: tuple[str, ...] = ()
    """The functions that the workflow calls, in their order."""
    stored: float = 0
    """Bytes of a table, times the months until they expire."""
    s3_stored: float = 0
    """Of objects, likewise."""
    reply_bytes: float = 0
    """Out to the client."""
    prompt_bytes: float = 0
    """Of the prompt, out to the provider."""
    table_users: int = 0
    """Pairs of a function and a table that it uses."""
    tenant_writes: float = 0
    """Write units of the one item that all jobs of a tenant share: its budget."""

    def with_polls(self, poll: "Job", further: float) -> "Job":
        """With so many polls more."""
        (only,) = poll.functions.values()
        polled = self.functions[API].plus(only, further)
        more = {name: getattr(self, name) + further * getattr(poll, name) for name in ADDED}
        return replace(self, functions={**self.functions, API: polled}, **more)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a month brings."""

    jobs_per_month: float = MILLION
    polls: float = 1
    """Of each job, without holding a connection."""
    secrets: int = 3
    """Keys of providers, and of tenants' webhooks."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: a quantity and what it costs. Both are of a month, or for one job and a million of them."""

    name: str
    quantity: float
    unit: str
    usd: float


def summed(lines: list[Line]) -> float:
    """Dollars of all lines as they are printed, to the cent: so what a table shows adds up."""
    return round(sum(round(line.usd, 2) for line in lines), 2)


def waits_ms(requests: Mapping[str, float], latency: Mapping[str, float]) -> float:
    """What a function waits for AWS: by operation where one is listed, else by service."""
    return sum(n * latency.get(name, latency.get(name.partition(".")[0], 0.0)) for name, n in requests.items())


def cpu_ms(function: Function, prices: PriceList) -> float:
    """CPU of one job in one function at a whole vCPU, from its invocations and requests."""
    each = prices.assumed["cpu_ms"]
    asked = sum(function.requests.values())
    return float(each["invocation"] * function.invocations + (each["request"] + each["tls"]) * asked)


def billed_ms(function: Function, prices: PriceList, model_s: float = 0) -> float:
    """Billed milliseconds of one job in one function: CPU at the size's share of a vCPU, AWS requests, the model."""
    stretch: float = max(1.0, prices.assumed["vcpu_mb"] / function.memory_mb)
    waits = waits_ms(function.requests, prices.assumed["latency_ms"])
    return cpu_ms(function, prices) * stretch + waits + model_s * 1000


def express_ms(job: Job, prices: PriceList, model_s: float) -> float:
    """How long the workflow runs, in whole 100 milliseconds as it is billed."""
    overhead: float = prices.assumed["step_overhead_ms"]
    took = sum(billed_ms(job.functions[name], prices) + overhead for name in job.steps) + model_s * 1000
    return math.ceil(took / 100) * 100


def gb_s(memory_mb: float, ms: float) -> float:
    """GB-seconds."""
    return memory_mb / 1024 * ms / 1000


def function_usd(function: Function, prices: PriceList) -> float:
    """Dollars of the invocations and the time of one function."""
    took = gb_s(function.memory_mb, billed_ms(function, prices))
    return function.invocations * prices.usd["lambda_request"] + took * prices.usd["lambda_gb_s"]


def chunks(requests: float, size: float, chunk: float) -> float:
    """What is billed for requests of `size` bytes together, where each `chunk` of one counts as one."""
    return requests * max(1, math.ceil(size / requests / chunk)) if requests else 0.0


def traced(requests_per_s: float, reservoir: float, rate: float) -> float:
    """The share of requests that X-Ray records: the first of each second, and `rate` of all others.

    Requests come at random (Poisson), so one second in `exp(-requests_per_s)` has none. (X-Ray developer guide,
    "Configuring sampling rules"; a reservoir above one is not known here.)
    """
    if not requests_per_s:
        return 0.0
    first = min(reservoir, 1) * (1 - math.exp(-requests_per_s))
    return (first + rate * (requests_per_s - first)) / requests_per_s


def traces(job: Job, prices: PriceList, traffic: Traffic) -> float:
    """Traces that one job makes: of its requests, and of what no request began, which Lambda's own rule samples."""
    a_second = traffic.jobs_per_month / SECONDS_A_MONTH
    rules = prices.assumed["trace_rules"]
    begun = {"api": job.api_requests, "other": job.events}
    return sum(n * traced(n * a_second, rules[kind]["reservoir"], rules[kind]["rate"]) for kind, n in begun.items())


def bill(job: Job, prices: PriceList, traffic: Traffic, model_s: float) -> list[Line]:
    """The lines of a million jobs that each wait `model_s` seconds for their model."""
    usd, assumed = prices.usd, prices.assumed
    express = gb_s(assumed["express_memory_mb"], express_ms(job, prices, model_s))
    waiting = gb_s(job.functions[WAITING].memory_mb, model_s * 1000)
    working = sum(gb_s(each.memory_mb, billed_ms(each, prices)) for each in job.functions.values())
    hops = job.queue_hops * 2 / assumed["receive_batch"]
    log_gb = sum(each.log_bytes for each in job.functions.values()) / 1e9
    log_gb += job.api_requests * assumed["access_log_bytes"] / 1e9
    log_months = log_gb * assumed["log_compressed"] * assumed["log_days"] / 30
    archived = job.event_bytes / 1e9
    sent = job.reply_bytes + job.prompt_bytes + assumed["provider_bytes"]
    quantities = [
        ("API Gateway requests", job.api_requests, "requests", "api_request"),
        ("Lambda invocations", sum(each.invocations for each in job.functions.values()), "", "lambda_request"),
        ("Lambda, waiting for the model", waiting, "GB-s", "lambda_gb_s"),
        ("Lambda, all other time", working, "GB-s", "lambda_gb_s"),
        ("Express workflow, starts", 1.0, "", "express_request"),
        ("Express workflow, duration", express, "GB-s", "express_gb_s"),
        ("DynamoDB writes", job.writes, "units", "dynamodb_write"),
        ("DynamoDB reads", job.reads, "units", "dynamodb_read"),
        ("DynamoDB storage", job.stored / 1e9, "GB-months", "dynamodb_gb_month"),
        ("DynamoDB point-in-time recovery", job.stored / 1e9, "GB-months", "dynamodb_recovery_gb_month"),
        ("SQS requests", job.sqs_sends + hops, "requests", "sqs_request"),
        ("EventBridge events", chunks(job.events, job.event_bytes, 65_536), "events", "event"),
        ("EventBridge archive, taken in", archived, "GB", "archive_gb"),
        ("EventBridge archive, kept", archived * assumed["archive_days"] / 30, "GB-months", "archive_gb_month"),
        ("CloudWatch Logs, taken in", log_gb, "GB", "log_gb"),
        ("CloudWatch Logs, kept", log_months, "GB-months", "log_gb_month"),
        ("X-Ray traces", traces(job, prices, traffic), "traces", "trace"),
        ("S3 puts", job.s3_puts, "requests", "s3_put"),
        ("S3 gets", job.s3_gets, "requests", "s3_get"),
        ("S3 storage", job.s3_stored / 1e9, "GB-months", "s3_gb_month"),
        ("Data out", sent / 1e9, "GB", "egress_gb"),
    ]
    return [Line(name, quantity, unit, quantity * usd[price] * MILLION) for name, quantity, unit, price in quantities]


def standard(job: Job, prices: PriceList) -> float:
    """Dollars of a million jobs' transitions where they run as Standard, in place of both Express lines."""
    return job.transitions * prices.usd["standard_transition"] * MILLION
