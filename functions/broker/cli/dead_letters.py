"""`broker dlq`: what ended where nothing should end, and back to work with it."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from broker.cli.printable import block, on_one_line
from broker.cli.shell import Shell
from broker.clock import iso, now_ms
from broker.cloud.dead_letters import DeadLetterQueues, DeadQueue, Letter
from broker.errors import InvalidRequest

MOST_SHOWN = 100

FACTS = ("job_id", "batch_id", "shard", "owner", "id", "account", "source", "detail-type", "time")
"""Of a body that is an object: what names the work. None of them is of a prompt or a document."""

MOST_CHARACTERS = 200
"""Of a fact: a sender may write anything into its event's source."""


def add_dlq(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker dlq`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="all queues of dead letters, and how many messages each has")
    one = actions.add_parser("show", help="facts of some messages of a queue, which stay in it")
    one.add_argument("queue", help="its name, as `broker dlq list` has it, or its beginning: intake, rejected, rule")
    one.add_argument("--limit", type=_number, default=10, help="how many; 10 unless said, 100 at most")
    one.add_argument("--payload", action="store_true", help="their bodies as well: of events, they hold prompts")
    one = actions.add_parser("redrive", help="send the messages of a queue to where they came from")
    one.add_argument("queue")
    one.add_argument("--limit", type=_number, help="how many; all unless said")


def dlq(shell: Shell) -> str:
    """Do what `broker dlq` was asked; gives what it prints."""
    options, queues = shell.options, _queues(shell)
    if options.action == "list":
        return "\n".join(_row(queues, each) for each in queues.all())
    queue = queues.find(options.queue)
    if options.action == "show":
        if options.limit > MOST_SHOWN:
            raise InvalidRequest(f"At most {MOST_SHOWN} messages are shown at once.", param="limit")
        lines = [line for each in queues.look(queue, options.limit) for line in _shown(each, options.payload)]
        return "\n".join(lines) or f"nothing is in {queue.name}"
    done = queues.redrive(queue, now_ms(), options.limit)
    if done.by_sqs:
        moved = f"SQS moves the {done.sent} messages of {queue.name} to {queue.source}"
        return f"{moved}; `broker dlq list` says how far it is"
    left = f"; {done.left} are left: they came back, or from no queue of this stack" if done.left else ""
    return f"{done.sent} messages of {queue.name} sent again{left}"


def _queues(shell: Shell) -> DeadLetterQueues:
    pages = (
        shell.session.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=shell.options.stack)
    )
    urls = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::SQS::Queue"
    }
    return DeadLetterQueues(shell.session.client("sqs"), urls)


def _row(queues: DeadLetterQueues, queue: DeadQueue) -> str:
    hidden = f", {queue.hidden} being looked at" if queue.hidden else ""
    task = queues.task(queue) if queue.source and (queue.messages or queue.hidden) else None
    moved = ""
    if task:
        done, of = task.get("ApproximateNumberOfMessagesMoved", 0), task.get("ApproximateNumberOfMessagesToMove", "?")
        moved = f"; last redrive {task.get('Status', '?').lower()}, {done} of {of} moved"
    return f"{queue.name}: {queue.messages} messages{hidden}{moved}"


def _shown(letter: Letter, payload: bool) -> Iterator[str]:
    facts = {
        "sent": iso(letter.sent_at),
        "received": f"{letter.receives} times",
        "bytes": len(letter.body.encode()),
        **({"tenant": letter.group} if letter.group else {}),
        **_facts(letter.body),
        **letter.said,
    }
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


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it has to be 1 at least")
    return number
