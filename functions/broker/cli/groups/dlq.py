"""`broker dlq`: what ended where nothing should end, and back to work with it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.printable import block, on_one_line
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Shown, said, table
from broker.clock import iso, now_ms

if TYPE_CHECKING:
    from broker.cloud.dead_letters import DeadLetterQueues, DeadQueue, Letter

MOST_SHOWN = 100

FACTS = ("job_id", "batch_id", "shard", "owner", "id", "account", "source", "detail-type", "time")
"""Of a body that is an object: what names the work. None of them is of a prompt or a document."""

MOST_CHARACTERS = 200
"""Of a fact: a sender may write anything into its event's source."""


app = group("Look at dead letters, and send them to work again.")

Queue = Annotated[
    str, Argument(help="Its name, as `broker dlq list` has it, or its beginning: intake, rejected, rule.")
]


@reads(app, "list")
def list_queues(shell: Shell) -> Shown:
    """List all queues of dead letters, and how many messages each has."""
    queues = _queues(shell)
    found = [(queue, _moved(queues, queue)) for queue in queues.all()]
    value = [
        {"queue": each.name, "messages": each.messages, "looked_at": each.hidden, "last_redrive": task}
        for each, task in found
    ]
    return Shown(value, "\n".join(_row(each) for each in value), lambda: _table(value))


@reads(app)
def show(
    shell: Shell,
    queue: Queue,
    limit: Annotated[int, Option(min=1, max=MOST_SHOWN, help="How many.")] = 10,
    payload: Annotated[
        bool, Option("--payload", help="Their bodies as well: of events, they hold prompts.", show_default=False)
    ] = False,
) -> Shown:
    """Show facts of some messages of a queue, which stay in it."""
    queues = _queues(shell)
    found = queues.find(queue)
    letters = queues.look(found, limit)
    value = [{"id": each.id, **_facts_of(each), **({"body": each.body} if payload else {})} for each in letters]
    lines = [line for each in letters for line in _shown(each, payload)]
    return Shown(value, "\n".join(lines) or f"nothing is in {found.name}")


@changes(app)
def redrive(
    shell: Shell,
    queue: Queue,
    limit: Annotated[int | None, Option(min=1, help="How many; all unless said.")] = None,
) -> Shown:
    """Send the messages of a queue to where they came from."""
    queues = _queues(shell)
    found = queues.find(queue)
    if shell.dry_run:
        meant = min(found.messages, limit or found.messages)
        raise DryRun(f"nothing was done; it would send {meant} messages of {found.name} again", messages=meant)
    done = queues.redrive(found, now_ms(), limit)
    facts = {"queue": found.name, "sent": done.sent, "left": done.left, "by_sqs": done.by_sqs}
    if done.by_sqs:
        moved = f"SQS moves the {done.sent} messages of {found.name} to {found.source}"
        return said(f"{moved}; `broker dlq list` says how far it is", **facts)
    left = f"; {done.left} are left: they came back, or from no queue of this stack" if done.left else ""
    return said(f"{done.sent} messages of {found.name} sent again{left}", **facts)


@changes(app)
def discard(
    shell: Shell,
    queue: Queue,
    yes: Annotated[
        bool, Option("--yes", help="Do it; without, it is said how many would go.", show_default=False)
    ] = False,
    limit: Annotated[int | None, Option(min=1, help="How many; all unless said.")] = None,
) -> Shown:
    """Delete the messages of a queue for good: work that nobody wants any more."""
    queues = _queues(shell)
    found = queues.find(queue)
    if shell.dry_run or not yes:
        meant = min(found.messages, limit or found.messages)
        what = f"nothing was done; it would delete {meant} messages of {found.name} for good, with --yes"
        raise DryRun(what, messages=meant)
    gone = queues.discard(found, now_ms(), limit)
    return said(f"{gone} messages of {found.name} deleted", queue=found.name, deleted=gone)


@changes(app)
def replay(shell: Shell) -> Shown:
    """Tell again what is in the dead letters of publish: changes of jobs that were not told to the bus."""
    from broker.cli.stack import replay_all

    if shell.dry_run:
        waiting = _queues(shell).find("publish").messages
        raise DryRun(f"nothing was done; it would publish what {waiting} messages stand for", messages=waiting)
    told = replay_all(shell.session, shell.outputs)
    return said(f"{told} changes published again", changes=told)


def _queues(shell: Shell) -> "DeadLetterQueues":
    from broker.cloud.dead_letters import DeadLetterQueues

    pages = shell.session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=shell.stack)
    urls = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::SQS::Queue"
    }
    return DeadLetterQueues(shell.session.client("sqs"), urls)


def _moved(queues: "DeadLetterQueues", queue: "DeadQueue") -> dict[str, Any] | None:
    """How far the last redrive by SQS is; None where there was none."""
    task = queues.task(queue) if queue.source and (queue.messages or queue.hidden) else None
    if not task:
        return None
    return {
        "status": task.get("Status", "?").lower(),
        "moved": task.get("ApproximateNumberOfMessagesMoved", 0),
        "of": task.get("ApproximateNumberOfMessagesToMove"),
    }


def _row(queue: dict[str, Any]) -> str:
    hidden = f", {queue['looked_at']} being looked at" if queue["looked_at"] else ""
    moved = f"; last redrive {_told(queue['last_redrive'])}" if queue["last_redrive"] else ""
    return f"{queue['queue']}: {queue['messages']} messages{hidden}{moved}"


def _told(task: dict[str, Any]) -> str:
    return f"{task['status']}, {task['moved']} of {'?' if task['of'] is None else task['of']} moved"


def _table(found: list[dict[str, Any]]) -> Any:
    cells = [
        [
            each["queue"],
            str(each["messages"]),
            str(each["looked_at"] or ""),
            _told(each["last_redrive"]) if each["last_redrive"] else "",
        ]
        for each in found
    ]
    return table(["queue", "messages", "looked at", "last redrive"], cells)


def _facts_of(letter: "Letter") -> dict[str, Any]:
    return {
        "sent": iso(letter.sent_at),
        "received": f"{letter.receives} times",
        "bytes": len(letter.body.encode()),
        **({"tenant": letter.group} if letter.group else {}),
        **_facts(letter.body),
        **letter.said,
    }


def _shown(letter: "Letter", payload: bool) -> Iterator[str]:
    facts = _facts_of(letter)
    yield on_one_line(f"{letter.id} {', '.join(f'{name} {_cut(value)}' for name, value in facts.items())}")
    if payload:
        yield block(letter.body)


def _facts(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: found[name] for name in FACTS if isinstance(found.get(name), str | int)}


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
