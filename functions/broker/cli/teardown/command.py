"""What `broker teardown` shows, refuses and does: first the stack goes, so that nobody writes any more; last its key."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from broker.cli.printable import on_one_line
from broker.cli.teardown.belongings import KINDS, Belonging, NotRemoved, code_of, secrets_of

FEWEST_DAYS, MOST_DAYS = 7, 30
"""That KMS and Secrets Manager wait before something is gone for good."""

KEY = "AWS::KMS::Key"

RETAINED = ("Retain", "RetainExceptOnCreate")

POLL_S, POLLS = 5, 720
"""How often it is asked whether the stack is gone: for an hour."""


def add_teardown(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker teardown`."""
    parser.add_argument("--yes", action="store_true", help="do it; without, it is shown what would go")
    parser.add_argument(
        "--days",
        type=int,
        choices=range(FEWEST_DAYS, MOST_DAYS + 1),
        metavar=f"{FEWEST_DAYS}-{MOST_DAYS}",
        default=MOST_DAYS,
        help=f"how long the key and the secrets can be had back ({MOST_DAYS} unless said)",
    )


@dataclass(frozen=True, slots=True)
class _Stack:
    """The stack that is to go, or that went and left things; resources as CloudFormation lists them."""

    id: str
    name: str
    status: str
    protected: bool
    resources: list[dict[str, Any]]
    kept: frozenset[str]
    """Logical ids of what it leaves."""

    @property
    def is_deleted(self) -> bool:
        return self.status == "DELETE_COMPLETE"

    def left(self) -> Iterator[tuple[str, str, str]]:
        """Logical id, type and physical id of what outlives it, as far as we know how to remove it."""
        for each in self.resources:
            if each["LogicalResourceId"] in self.kept and each.get("PhysicalResourceId"):
                yield each["LogicalResourceId"], each["ResourceType"], each["PhysicalResourceId"]


def teardown(session: Any, options: argparse.Namespace) -> tuple[str, int]:
    """What is printed at the end, and the exit status: 0 when all is gone, 1 when it was refused or not all went."""
    try:
        stack = _find(session, options.stack)
        key = next((physical for _, kind, physical in stack.left() if kind == KEY), None)
        belongings = list(_belongings(session, stack, key, options.days))
        shown = list(_shown(session, stack, belongings, key))
        if not options.yes:
            return "\n".join([*shown, "Nothing was done. With --yes all of this goes, and nothing brings it back."]), 1
        if stack.protected and not stack.is_deleted:
            raise NotRemoved(
                f"the stack {stack.name} is protected; if it is to go: aws cloudformation "
                f"update-termination-protection --no-enable-termination-protection --stack-name {stack.name}"
            )
        _delete(session, stack)
        failed = [why for each in belongings if (why := _remove(session, each))]
        if failed:
            return "\n".join(
                [*failed, "The key stays until the rest is gone. Begin again when the cause is mended."]
            ), 1
        return _end(session, stack, key, options.days), 0
    except NotRemoved as error:
        return f"Nothing more was done: {error}", 1


def _find(session: Any, name: str) -> _Stack:
    """The stack of a name or id; where there is none of the name any more, the last that was deleted."""
    client = session.client("cloudformation")
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        found = _last_deleted(client, name)
    stack_id = found["StackId"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    resources = [each for page in pages for each in page["StackResourceSummaries"]]
    if found["StackStatus"] == "DELETE_COMPLETE":
        kept = {each["LogicalResourceId"] for each in resources if each["ResourceStatus"] == "DELETE_SKIPPED"}
    else:
        declared = client.get_template(StackName=stack_id, TemplateStage="Processed")["TemplateBody"]["Resources"]
        kept = {each for each, resource in declared.items() if resource.get("DeletionPolicy") in RETAINED}
    protected = bool(found.get("EnableTerminationProtection"))
    return _Stack(stack_id, found["StackName"], found["StackStatus"], protected, resources, frozenset(kept))


def _last_deleted(client: Any, name: str) -> dict[str, Any]:
    pages = client.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    found = [each for page in pages for each in page["StackSummaries"] if each["StackName"] == name]
    if not found:
        raise NotRemoved(f"there is no stack {name} in this account and region, and none was deleted within 90 days")
    return dict(max(found, key=lambda each: each["DeletionTime"]))


def _belongings(session: Any, stack: _Stack, key: str | None, days: int) -> Iterator[Belonging]:
    for name, kind, physical in stack.left():
        if kind in KINDS:
            yield Belonging(name, physical, *KINDS[kind])
    if key is not None:
        yield from secrets_of(session, f"{stack.name}/", key.rpartition("/")[2], days)


def _shown(session: Any, stack: _Stack, belongings: list[Belonging], key: str | None) -> Iterator[str]:
    if stack.is_deleted:
        yield f"The stack {stack.name} is gone, and left:"
    else:
        went = len(stack.resources) - sum(1 for _ in stack.left())
        yield f"The stack {stack.name} ({stack.id}): {went} resources without data, and"
    for each in belongings:
        holds = each.holds(session, each.physical)
        yield on_one_line(f"  {each.name}: {holds or 'gone already'}")
    if key is not None:
        yield f"  Key: {key}, without which nothing of it can be read"
    for name, kind, physical in stack.left():
        if kind not in KINDS and kind != KEY:
            yield f"Left in any case: {name} ({physical}), with which other APIs of the account may log"


def _delete(session: Any, stack: _Stack) -> None:
    """Delete the stack, and wait until it is gone."""
    if stack.is_deleted:
        return
    client = session.client("cloudformation")
    _say(f"deleting the stack {stack.name} …")
    client.delete_stack(StackName=stack.id)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=stack.id, WaiterConfig={"Delay": POLL_S, "MaxAttempts": POLLS}
        )
    except WaiterError:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        stuck = [
            f"{each['LogicalResourceId']} ({each.get('ResourceStatusReason', 'no reason is given')})"
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceStatus"] == "DELETE_FAILED"
        ]
        why = f"of {', '.join(stuck)}" if stuck else "it takes too long"
        raise NotRemoved(
            f"the stack {stack.name} is not gone, because {why}; begin again when that is mended"
        ) from None


def _remove(session: Any, belonging: Belonging) -> str | None:
    """Why a thing stays; None where it is gone."""
    try:
        if belonging.holds(session, belonging.physical) is not None:
            _say(f"deleting {belonging.name} …")
            belonging.remove(session, belonging.physical)
    except (NotRemoved, ClientError) as error:
        return on_one_line(f"{belonging.name} stays: {error}")
    return None


def _end(session: Any, stack: _Stack, key: str | None, days: int) -> str:
    if key is None:
        return f"{stack.name} is gone."
    client = session.client("kms")
    try:
        metadata = client.describe_key(KeyId=key)["KeyMetadata"]
        if metadata["KeyState"] != "PendingDeletion":
            metadata = client.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    except client.exceptions.NotFoundException:
        return f"{stack.name} is gone, and so is its key."
    until = f"{metadata['DeletionDate']:%Y-%m-%d}"
    return f"{stack.name} is gone. Its key goes on {until}; aws kms cancel-key-deletion --key-id {key} keeps it."


def _say(line: str) -> None:
    """Progress, which is no result."""
    print(line, file=sys.stderr, flush=True)
