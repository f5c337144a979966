"""Counts what one job takes: jobs one at a time on a quiet stack, and what grew between before and after."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.figures import since
from bench.logs import Logged, logged
from bench.pricing import FunctionUse, JobUse
from bench.processes import function_cpu, processes
from bench.stack import Bench

Row = tuple[str, str, str]

APART = "SweepFunction"
"""Runs by the clock, whatever the jobs: idle background."""

QUIET_S = 1.5
"""After a job has ended: publishing is over by then."""

WITHIN_S = 60

TRANSACTION = 2
"""Write units of an item below 1 KB in a transaction (DynamoDB, Read/write capacity)."""

QUEUES_WITH_READERS = ("InteractiveQueue", "BulkQueue", "DeliveriesQueue", "IntakeQueue", "FilesQueue")


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, all for one job."""

    job: JobUse
    requests: dict[Row, dict[str, float]]
    """By function, operation and target: `count`, `reads`, `writes`, `entries`."""
    logs: dict[str, Logged]
    states: list[str]
    """Of a Standard run of the same definition."""
    jobs: int


def meter(bench: Bench, name: str) -> dict[Row, float]:
    """One measure of the meter by row, without the idle background."""
    rows = [row for row in bench.meter() if row["function"] != APART]
    return {(row["function"], row["operation"], row["target"]): row[name] for row in rows}


def _ended(bench: Bench, job_id: str) -> None:
    """Wait without the API, whose calls are counted (the bench's own reads are not)."""
    table = bench.cloud.client("dynamodb")
    until = time.monotonic() + WITHIN_S
    key = {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "HEAD"}}
    while time.monotonic() < until:
        if "ended_at" in table.get_item(TableName=bench.up.outputs["JobsTable"], Key=key)["Item"]:
            return
        time.sleep(0.05)
    raise TimeoutError(f"job {job_id} did not end within {WITHIN_S} s")


def states_of(bench: Bench) -> list[str]:
    """The states that a job enters: the history of a Standard run, for Express keeps none."""
    answer = bench.api.submit(bench.body(timeout_seconds=600))
    _ended(bench, answer.body["id"])
    time.sleep(QUIET_S)
    machine = bench.physical("StandardWorkflow")
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{answer.body['id']}-1"
    pages = bench.cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def step_functions(bench: Bench, states: list[str]) -> tuple[str, ...]:
    """The functions behind the states that call one, by the definition's own names (`Check Input`, CheckInput…)."""
    known = bench.functions()
    named = (f"{state.replace(' ', '')}Function" for state in states)
    return tuple(name for name in named if name in known)


def count(bench: Bench, jobs: int, say: Callable[[str], None]) -> Counted:
    """Run jobs one at a time: submit, wait until it has ended and was published, one poll with `wait`."""
    states = states_of(bench)
    measures = ("count", "reads", "writes", "entries")
    before = {name: meter(bench, name) for name in measures}
    processes_before, began_ms, reply_bytes = processes(bench.pid), int(time.time() * 1000), 0
    for number in range(jobs):
        answer = bench.api.submit(bench.body())
        _ended(bench, answer.body["id"])
        time.sleep(QUIET_S)
        polled = bench.api.call("GET", f"/jobs/{answer.body['id']}?wait=20")
        if polled.body["status"] != "succeeded":
            raise RuntimeError(f"a job ended as {polled.body['status']}: {polled.body['error']}")
        reply_bytes += sum(len(json.dumps(each.body)) for each in (answer, polled))
        say(f"  counted {number + 1} of {jobs}")
    time.sleep(QUIET_S)
    cpu = function_cpu(processes_before, processes(bench.pid))
    grown = {name: since(before[name], meter(bench, name)) for name in measures}
    requests = {row: {name: grown[name].get(row, 0.0) / jobs for name in measures} for row in sorted(grown["count"])}
    client = bench.cloud.client("logs")
    logs = {
        name: logged(
            client,
            facts["LoggingConfig"]["LogGroup"],
            began_ms,
            platform=facts["LoggingConfig"].get("SystemLogLevel", "INFO") in ("INFO", "DEBUG"),
        )
        for name, facts in bench.functions().items()
        if name != APART
    }
    logs = {name: each for name, each in logs.items() if each.invocations}
    job = _job(bench, requests, logs, cpu, jobs, states, reply_bytes / jobs)
    return Counted(job, requests, logs, states, jobs)


def _job(
    bench: Bench,
    requests: dict[Row, dict[str, float]],
    logs: dict[str, Logged],
    cpu: dict[str, float],
    jobs: int,
    states: list[str],
    reply_bytes: float,
) -> JobUse:
    def total(name: str, matches: Callable[[Row], bool] = lambda row: True) -> float:
        return sum(each[name] for row, each in requests.items() if matches(row))

    functions: dict[str, FunctionUse] = {}
    configured: dict[str, dict[str, Any]] = bench.functions()
    for name, each in logs.items():
        asked: dict[str, float] = {}
        for (function, operation, _), measured in requests.items():
            if function == name:
                asked[operation] = asked.get(operation, 0) + measured["count"]
        functions[name] = FunctionUse(
            memory_mb=configured[name]["MemorySize"],
            invocations=each.invocations / jobs,
            cpu_ms=cpu.get(name, 0.0) / jobs,
            requests=asked,
            log_bytes=each.size / jobs,
        )
    return JobUse(
        functions=functions,
        api_requests=2.0,
        writes=total("writes"),
        reads=total("reads"),
        sqs_sends=total("count", lambda row: row[1] == "sqs.SendMessage"),
        queue_hops=total("count", lambda row: row[1] == "sqs.SendMessage" and row[2] in QUEUES_WITH_READERS),
        events=total("entries", lambda row: row[1] == "events.PutEvents"),
        transitions=float(len(states)),
        steps=step_functions(bench, states),
        table_users=len({(row["function"], table) for row in bench.meter() for table in row["tables"]}),
        reply_bytes=reply_bytes,
        tenant_writes=total("count", lambda row: "Transact" in row[1] and "BUDGET" in row[2]) * TRANSACTION,
    )
