"""Counts what one job takes: runs of each kind, and what grew between before and after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from bench import runs
from bench.logs import Logged, logged
from bench.pricing import Function, Job
from bench.refreshing import Refresh, refreshed, refreshes
from bench.runs import Run, Span
from bench.stack import Bench
from bench.tally import Tally, firm, total, without
from bench.template import readers
from bench.texts import texts

TRANSACTION = 2
"""Write units of an item below 1 KB in a transaction (DynamoDB, Read/write capacity)."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted."""

    job: Job
    """The mean over the texts."""
    by_text: dict[str, Job]
    large: Job
    spared: dict[str, Job]
    """Of prose, by what they do without."""
    poll: Job
    clock: dict[str, Job]
    """One run of each function that runs by the clock, with nothing to do."""
    table_users: int
    """Pairs of a function and a table that it used, in all that ran."""
    requests: Tally
    """Of one job."""
    refreshes: list[Refresh]
    """What a job asks beside that where it is due."""
    states: list[str]
    """Of a Standard run of the same definition."""
    jobs: int


def states_of(bench: Bench) -> list[str]:
    """The states that a job enters: the history of a Standard run, for Express keeps none."""
    answer = bench.api.submit(bench.body(timeout_seconds=600))
    runs.ended(bench, answer.body["id"])
    runs.quiet(bench)
    machine = bench.physical("StandardWorkflow")
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{answer.body['id']}-1"
    pages = bench.cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def step_functions(known: Sequence[str], states: list[str]) -> tuple[str, ...]:
    """The functions behind the states that call one, by the definition's own names (`Check Input`, CheckInput…)."""
    named = (f"{state.replace(' ', '')}Function" for state in states)
    return tuple(name for name in named if name in known)


def logs_of(bench: Bench, began_ms: int, ended_ms: int | None = None) -> dict[str, Logged]:
    """What each function logged in a span of time."""
    client, found = bench.cloud.client("logs"), {}
    for name, facts in bench.functions().items():
        logging = facts["LoggingConfig"]
        platform = logging.get("SystemLogLevel", "INFO") in ("INFO", "DEBUG")
        found[name] = logged(client, logging["LogGroup"], began_ms, ended_ms, platform=platform)
    return found


def count(bench: Bench, rounds: int, say: Callable[[str], None]) -> Counted:
    """Run `rounds` jobs of each text, and a few of all other kinds."""
    say("  the states of a job …")
    states = states_of(bench)
    say(f"  {rounds} jobs of each of {len(texts())} texts …")
    kinds: dict[str, list[Run]] = {}

    def small() -> list[Run]:
        kinds.update(runs.by_text(bench, rounds))
        return [run for each in kinds.values() for run in each]

    plain = runs.spanned(small)
    say("  polls, large jobs, what runs by the clock, what is told of other jobs …")
    polled = runs.polls(bench)
    big = runs.spanned(lambda: runs.large(bench))
    less = runs.spared(bench)
    clock = runs.by_the_clock(bench)
    runs.others(bench)

    def job(span: Span, some: list[Run]) -> Job:
        return job_of(bench, span, some, states)

    tallies = [run.tally for run in plain.runs]
    users = len({(row["function"], table) for row in bench.rows() for table in row["tables"]})
    return Counted(
        job=job(plain, plain.runs),
        by_text={kind: job(plain, each) for kind, each in kinds.items()},
        large=job(big, big.runs),
        spared={name: job(span, span.runs) for name, span in less.items()},
        poll=job(polled, polled.runs),
        clock={name: job(span, span.runs) for name, span in clock.items()},
        table_users=users,
        requests=firm(without(tallies, refreshed)),
        refreshes=refreshes(tallies, {name: facts["MemorySize"] for name, facts in bench.functions().items()}),
        states=states,
        jobs=len(plain.runs),
    )


def job_of(bench: Bench, span: Span, some: list[Run], states: list[str]) -> Job:
    """What one of some runs took; logs are those of the whole span, shared by all its runs."""
    requests = firm(without([run.tally for run in some], refreshed))

    def of(measure: str, matches: Callable[[str, str], bool]) -> float:
        return sum(each[measure] for row, each in requests.items() if matches(row[1], row[2]))

    functions = _functions(bench, span, requests)
    return Job(
        functions=functions,
        api_requests=mean(run.api_requests for run in some),
        writes=total(requests, "writes"),
        reads=total(requests, "reads"),
        sqs_sends=of("count", lambda operation, _: operation == "sqs.SendMessage"),
        queue_hops=of("count", lambda operation, queue: operation == "sqs.SendMessage" and queue in readers()),
        events=total(requests, "entries"),
        event_bytes=of("bytes_in", lambda operation, _: operation == "events.PutEvents"),
        s3_puts=of("count", lambda operation, _: operation == "s3.PUT"),
        s3_gets=of("count", lambda operation, _: operation in ("s3.GET", "s3.HEAD")),
        transitions=float(len(states)),
        steps=step_functions(list(functions), states),
        stored=mean(run.stored for run in some),
        s3_stored=mean(run.s3_stored for run in some),
        reply_bytes=mean(run.reply_bytes for run in some),
        prompt_bytes=mean(run.prompt_bytes for run in some),
        tenant_writes=of("count", lambda operation, items: "Transact" in operation and "BUDGET" in items) * TRANSACTION,
    )


def _functions(bench: Bench, span: Span, requests: Tally) -> dict[str, Function]:
    """Each function that most runs invoke."""
    logs, configured, found = logs_of(bench, span.began_ms, span.ended_ms), bench.functions(), {}
    for name, each in logs.items():
        asked: dict[str, float] = {}
        for (function, operation, _), measured in requests.items():
            if function == name:
                asked[operation] = asked.get(operation, 0) + measured["count"]
        # Some runs more than there are jobs are the clock's: an authorizer, a sweep beside those that were started.
        if invocations := each.invocations // len(span.runs):
            bytes_each = each.size / each.invocations * invocations
            found[name] = Function(configured[name]["MemorySize"], invocations, asked, bytes_each)
    return found
