"""CPU time of all handlers of one job, in one busy process that talks to the bench's stack.

Processes that idle between calls, as functions do, take half as much again; but that figure does not repeat, and this
one does, within a tenth. The machine's speed is told by a loop beside it, so that runs can be compared.
"""

import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from bench.stack import Bench
from bench.tables import Cell, keep, show, table
from local.servers import REGION

WARM = 5
"""Jobs that are not measured."""

OWN = "bench-cpu"
"""A queue that nobody reads, and a workflow that does nothing, so that the stack leaves the jobs to the bench."""

IDLE = '{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}'


def run(bench: Bench, jobs: int) -> None:
    """Run so many jobs through the handlers; print and keep."""
    show(f"\ncpu: {jobs} jobs in one process …")
    keep("cpu", measure(environment(bench), bench.body(), jobs))


def measure(variables: dict[str, str], body: dict[str, Any], jobs: int) -> dict[str, Any]:
    """The same, in an `environment` that a stack gave once; printed, and given as JSON."""
    context = get_context("spawn")
    here, there = context.Pipe()
    worker = context.Process(target=_work, args=(there, variables, body, jobs), daemon=True)
    worker.start()
    there.close()
    try:
        measured = here.recv()
    except EOFError:
        raise RuntimeError("the process with the handlers ended; what it printed says why") from None
    finally:
        worker.join()
    return _report(jobs, measured)


def environment(bench: Bench) -> dict[str, str]:
    """What the functions are given, all in one; with a lane and a workflow of the bench's own."""
    found: dict[str, str] = {}
    for each in bench.functions().values():
        found |= each["Environment"]["Variables"]
    states = bench.cloud.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=bench.physical("ExpressWorkflow"))["roleArn"]
    workflow = states.create_state_machine(name=OWN, type="EXPRESS", roleArn=role, definition=IDLE)
    queue = bench.cloud.client("sqs").create_queue(QueueName=OWN)
    own = {"EXPRESS_WORKFLOW": workflow["stateMachineArn"], "INTERACTIVE_QUEUE": queue["QueueUrl"]}
    lambda_ = {"AWS_REGION": REGION, "AWS_SESSION_TOKEN": "t" * 400, "AWS_LAMBDA_FUNCTION_NAME": OWN}
    return found | bench.cloud.environment() | lambda_ | own | {"AWS_SDK_UA_APP_ID": OWN}


def _work(reports: Connection, environment: dict[str, str], body: dict[str, Any], jobs: int) -> None:
    """In a process of its own, which has the functions' environment."""
    import os

    os.environ.update(environment)
    from bench.job import Job, Meter

    meter = Meter()
    for _ in range(WARM):
        Job(meter, body).run()
    meter.forget()
    loops = [_time(_calibrate)]
    for _ in range(jobs):
        Job(meter, body).run()
        loops.append(_time(_calibrate))
    reports.send({"cpu": dict(meter.cpu), "calls": dict(meter.calls), "in_calls": dict(meter.in_calls), "loops": loops})


def _calibrate() -> None:
    """About a millisecond of what handlers do: dicts, strings and numbers."""
    for _ in range(20):
        seen: dict[str, int] = {}
        for number in range(100):
            seen[f"name{number % 10}"] = number * 7 % 11


def _time(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def _report(jobs: int, measured: dict[str, Any]) -> dict[str, Any]:
    cpu, calls, in_calls = measured["cpu"], measured["calls"], measured["in_calls"]
    rows: list[list[Cell]] = []
    for name, times in cpu.items():
        share = 100 * in_calls.get(name, 0.0) / sum(times)
        rows.append([name, calls.get(name, 0) / jobs, min(times), statistics.median(times), share])
    totals = [float(sum(float(row[column] or 0) for row in rows)) for column in (1, 2, 3)]
    whole = 100 * sum(in_calls.values()) / sum(sum(times) for times in cpu.values())
    heads = ["handler", "AWS calls", "CPU ms min", "median", "% in AWS calls"]
    show(table("CPU time of all handlers of one job", heads, [*rows, ["all", *totals, whole]], decimals=2))
    loop = statistics.median(measured["loops"])
    show(f"\nA loop of plain Python beside it took {loop:.2f} ms; the job takes {totals[2] / loop:.1f} times that.")
    return {
        "handlers": [dict(zip(heads, row, strict=True)) for row in rows],
        "calls": totals[0],
        "min_ms": totals[1],
        "median_ms": totals[2],
        "loop_ms": loop,
        "of_loop": totals[2] / loop,
    }
