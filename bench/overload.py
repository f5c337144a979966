"""More work than an account has functions for: a crowd of slow jobs, a file, and somebody who waits for an answer.

What counts is what becomes of the jobs: that all succeed and no call is made twice. How long they take is that of this
machine, of the sweep (each minute, as on AWS), and of the spreads by which jobs come back.
"""

import json
import time
from collections import Counter
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from bench.figures import percentile
from bench.stack import Bench, register
from bench.tables import Cell, keep, show, table
from local.client import Client

UNHURRIED_MODEL = "bench-unhurried"
UNHURRIED_S = 5
"""What it takes to answer: a usual model."""

KNOWN_S = 31
"""After so long every process has heard of a new model."""

READ = TypeDeserializer()

EVERY_S = 2
WITHIN_S = 1800
"""Jobs have an hour; here nobody waits so long."""

ENDED = frozenset({"succeeded", "failed", "blocked", "canceled", "expired"})


def run(bench: Bench, jobs: int, lines: int, concurrency: int) -> int:
    """Measure, print and keep: the crowd sends `jobs`, and the file has `lines`.

    Gives the exit status: 1 where a job did not succeed or was called for twice, or a submit was refused otherwise than
    by being told to come again.
    """
    load = f"{jobs} jobs and a file of {lines} lines, {UNHURRIED_S} s each"
    show(f"\noverload: {concurrency} functions at a time; {load} …")
    register(bench, {UNHURRIED_MODEL: {"name": f"small!echo,latency={UNHURRIED_S}"}})
    time.sleep(KNOWN_S)
    refused: Counter[str] = Counter()
    began = time.monotonic()
    _file(bench, lines)
    crowd = {_submit(bench.api, _slow(bench), refused, "crowd") for _ in range(jobs)}
    waiting: set[str] = set()
    heads = _heads(bench)
    while time.monotonic() < began + WITHIN_S and not _is_over(heads, jobs + lines):
        waiting.add(_submit(bench.other, bench.body("How do you do?"), refused, "interactive"))
        time.sleep(EVERY_S)
        heads = _heads(bench)
    took = time.monotonic() - began
    groups = {
        "the crowd": [each for each in heads if each["id"] in crowd],
        "the file": [each for each in heads if each["door"] == "s3"],
        "who waits": [each for each in heads if each["id"] in waiting and each["status"] in ENDED],
    }
    show(
        table(
            "Seconds from acceptance to the end", ["", "jobs", "succeeded", "50 %", "95 %", "put back"], _rows(groups)
        )
    )
    calls = Counter(len(each.get("calls", {})) for group in groups.values() for each in group)
    show(f"\nall done after {took:.0f} s; submits that API Gateway refused and that were sent again: {dict(refused)}")
    show(f"jobs by their number of calls: {dict(calls)}")
    good = all(each["status"] == "succeeded" for group in groups.values() for each in group)
    good &= all(status.endswith((": 429", ": 503")) for status in refused)
    measured = {"seconds": took, "refused": refused, "calls": calls, "groups": _rows(groups)}
    keep("overload", {"jobs": jobs, "lines": lines, "concurrency": concurrency, **measured})
    return 0 if good and set(calls) == {1} and len(groups["the file"]) == lines else 1


def _rows(groups: dict[str, list[dict[str, Any]]]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, heads in groups.items():
        seconds = [float(each["ended_at"] - each["created_at"]) / 1000 for each in heads if "ended_at" in each]
        shares = [percentile(seconds, share) if seconds else None for share in (50, 95)]
        succeeded = sum(each["status"] == "succeeded" for each in heads)
        rows.append([name, len(heads), succeeded, *shares, sum("waits" in each for each in heads)])
    return rows


def _slow(bench: Bench) -> dict[str, Any]:
    return bench.body("The lamp was lit.", model=UNHURRIED_MODEL)


def _submit(client: Client, body: dict[str, Any], refused: Counter[str], who: str) -> str:
    """Submit until it is taken, as a client would that is told to come again; gives the job's id."""
    while True:
        answer = client.submit(body)
        if answer.status == 202:
            return str(answer.body["id"])
        refused[f"{who}: {answer.status}"] += 1
        time.sleep(float(answer.headers.get("retry-after", 0.5)))


def _file(bench: Bench, lines: int) -> None:
    bucket = bench.up.outputs["InboxBucket"]
    body = "\n".join([json.dumps(_slow(bench))] * lines)
    bench.cloud.client("s3").put_object(Bucket=bucket, Key="demo/overload/lines.jsonl", Body=body.encode())


def _heads(bench: Bench) -> list[dict[str, Any]]:
    """All heads, read from the table itself: a poll would take a function from those who work."""
    pages = bench.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=bench.up.outputs["JobsTable"])
    items = (item for page in pages for item in page["Items"] if item["sk"]["S"] == "HEAD")
    return [{name: READ.deserialize(value) for name, value in item.items()} for item in items]


def _is_over(heads: list[dict[str, Any]], slow_ones: int) -> bool:
    """True where the crowd's and the file's jobs are all there and ended."""
    slow = [each for each in heads if each["tenant"] == "demo" and each.get("door") in ("rest", "s3")]
    return len(slow) >= slow_ones and all(each["status"] in ENDED for each in slow)
