"""The jobs and calls that are counted: one at a time on a quiet stack, each with what it took by the meter."""

import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.stack import LARGE_MODEL, REFUSED_MODEL, SLOW_MODEL, Bench
from bench.storing import s3_stored, stored
from bench.tally import Tally, grown, total
from bench.template import every_minutes
from bench.texts import texts
from local.client import Client, HttpReply
from local.receiver import Receiver

QUIET_S = 1.5
"""Without a request: whatever follows a job (publishing) is over by then."""

WITHIN_S = 90

POLLS = 10

ON_REQUEST, NO_BUDGET = "events on request (`RestJobEvents=on_request`)", "a tenant without a monthly budget"
PROSE = "prose"
"""The text that those are of."""

LARGE_BYTES = 600_000
"""Of letters at random, which no compressor packs to much less than 60 %: the table takes less, so they go to the
bucket."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job from its submission to one poll after its end."""

    tally: Tally
    api_requests: int = 0
    reply_bytes: int = 0
    prompt_bytes: int = 0
    stored: float = 0
    """Byte-months in the table."""
    s3_stored: float = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Runs of one kind, and the time they were in (epoch milliseconds): for what is found in logs."""

    runs: list[Run]
    began_ms: int
    ended_ms: int


def meter(bench: Bench) -> Tally:
    """What the functions asked so far, without those that run by the clock."""
    return {row: measured for row, measured in bench.meter().items() if row[0] not in every_minutes()}


def quiet(bench: Bench) -> Tally:
    """Wait until nothing more is asked; gives the meter.

    Raises:
        TimeoutError: something goes on for a minute and a half.
    """
    until, since, last = time.monotonic() + WITHIN_S, time.monotonic(), meter(bench)
    while time.monotonic() < until:
        time.sleep(0.2)
        now = meter(bench)
        if total(now, "count") != total(last, "count"):
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= QUIET_S:
            return now
    raise TimeoutError(f"the stack was not quiet within {WITHIN_S} s")


def ended(bench: Bench, job_id: str) -> None:
    """Wait without the API, whose calls are counted (the bench's own reads are not)."""
    table = bench.cloud.client("dynamodb")
    until = time.monotonic() + WITHIN_S
    key = {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "HEAD"}}
    while time.monotonic() < until:
        if "ended_at" in table.get_item(TableName=bench.up.outputs["JobsTable"], Key=key)["Item"]:
            return
        time.sleep(0.05)
    raise TimeoutError(f"job {job_id} did not end within {WITHIN_S} s")


def size_of(answer: HttpReply) -> int:
    """Bytes of a reply: its body, compressed where it was, and its headers as HTTP/1.1 writes them."""
    headers = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    return int(answer.headers["content-length"]) + headers


def one_job(bench: Bench, body: dict[str, Any], api: Client | None = None) -> Run:
    """Submit, wait until it has ended and was published, poll once; as the tenant `demo` unless said.

    Raises:
        RuntimeError: it did not succeed.
    """
    before, api = quiet(bench), api or bench.api
    answer = api.submit(body)
    job_id = answer.body["id"]
    ended(bench, job_id)
    quiet(bench)
    polled = api.call("GET", f"/jobs/{job_id}")
    if polled.body["status"] != "succeeded":
        raise RuntimeError(f"a job ended as {polled.body['status']}: {polled.body['error']}")
    tally = grown(before, quiet(bench))
    return Run(
        tally,
        api_requests=2,
        reply_bytes=size_of(answer) + size_of(polled),
        prompt_bytes=len(body["input"]["text"].encode()),
        stored=stored(bench, job_id),
        s3_stored=s3_stored(bench, job_id),
    )


def spanned(work: Callable[[], list[Run]]) -> Span:
    """Runs with the time that they were in."""
    began = int(time.time() * 1000)
    runs = work()
    return Span(runs, began, int(time.time() * 1000))


def by_text(bench: Bench, rounds: int) -> dict[str, list[Run]]:
    """Jobs of 2 KB of each text, in turn."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for kind, text in texts().items():
            runs.setdefault(kind, []).append(one_job(bench, bench.body(text)))
    return runs


def large(bench: Bench) -> list[Run]:
    """Jobs whose prompt and answer do not fit the table."""
    letters = "".join(random.Random(7).choices(string.ascii_lowercase, k=LARGE_BYTES))  # noqa: S311 - no secret
    return [one_job(bench, bench.body(letters, model=LARGE_MODEL)) for _ in range(3)]


def spared(bench: Bench) -> dict[str, Span]:
    """Jobs of 2 KB of prose that take less, by what they do without."""
    kinds: dict[str, tuple[dict[str, Any], Client]] = {
        ON_REQUEST: (bench.body(bus_events=False), bench.api),
        NO_BUDGET: (bench.body(), bench.other),
    }
    for body, api in kinds.values():  # what the tenant's first job asks, others do not
        one_job(bench, body, api)
    return {
        name: spanned(lambda body=body, api=api: [one_job(bench, body, api) for _ in range(3)])  # type: ignore[misc]
        for name, (body, api) in kinds.items()
    }


def polls(bench: Bench) -> Span:
    """Single polls of a job that waits for its model."""
    answer = bench.api.submit(bench.body(model=SLOW_MODEL))
    before = quiet(bench)
    began, runs = int(time.time() * 1000), []
    for _ in range(POLLS):
        polled = bench.api.call("GET", f"/jobs/{answer.body['id']}")
        if polled.body["status"] != "running":
            raise RuntimeError(f"a job that should run is {polled.body['status']}")
        after = meter(bench)
        runs.append(Run(grown(before, after), api_requests=1, reply_bytes=size_of(polled)))
        before = after
    span = Span(runs, began, int(time.time() * 1000))
    ended(bench, answer.body["id"])
    quiet(bench)
    return span


def by_the_clock(bench: Bench, times: int = 5) -> dict[str, Span]:
    """The functions that the clock starts, started by hand while there is nothing to do."""
    client, spans = bench.cloud.client("lambda"), {}
    for name in every_minutes():
        began, runs = int(time.time() * 1000), []
        for _ in range(times):
            before = _of(bench, name)
            client.invoke(FunctionName=bench.physical(name), Payload=b"{}")
            runs.append(Run(grown(before, _of(bench, name))))
        spans[name] = Span(runs, began, int(time.time() * 1000))
    return spans


def _of(bench: Bench, function: str) -> Tally:
    return {row: measured for row, measured in bench.meter().items() if row[0] == function}


def others(bench: Bench) -> None:
    """What a month also has, for the metrics that only such jobs tell: a cached answer, a rejected key, a webhook."""
    asked = bench.body("A month has answers that were given before.", cache={"ttl_seconds": 600})
    for _ in range(2):
        ended(bench, bench.api.submit(asked).body["id"])
    for tenant in (bench.api, bench.other):  # of one alone, only its own circuit would open
        ended(bench, tenant.submit(bench.body(model=REFUSED_MODEL)).body["id"])
    waiting = bench.api.submit(bench.body(model=REFUSED_MODEL)).body["id"]  # the circuit is open now
    quiet(bench)
    bench.api.call("DELETE", f"/jobs/{waiting}")
    bench.api.submit({"task": "none of these"})
    with Receiver() as receiver:
        hook = {"url": receiver.url, "events": ["job.succeeded"]}
        ended(bench, bench.api.submit(bench.body(webhook=hook)).body["id"])
        if not receiver.wait(1, WITHIN_S):
            raise RuntimeError("no webhook arrived")
        quiet(bench)
