"""What `broker teardown` shows, refuses and does: the stack first, so that nobody writes any more, and its key last."""

import sys
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from broker.cli.exits import Exit
from broker.cli.printable import on_one_line
from broker.cli.shown import Shown
from broker.cli.teardown.belongings import KINDS, Belonging, NotRemoved, secrets_of
from broker.cli.teardown.leaving import Leaving, delete, find

KEY = "AWS::KMS::Key"


def teardown(session: Any, name: str, *, yes: bool, days: int) -> Shown:
    """Remove all, or without `yes` say what would go; the exit status is 1 where not all went.

    Args:
        session: of the account.
        name: the stack's.
        yes: do it.
        days: that KMS and Secrets Manager wait before something is gone for good: 7 to 30.
    """
    text, status = _torn_down(session, name, yes=yes, days=days)
    return Shown({"done": yes and status == Exit.DONE, "message": text}, text, status=status)


def _torn_down(session: Any, name: str, *, yes: bool, days: int) -> tuple[str, int]:
    try:
        stack = find(session, name)
        keys = [each.physical for each in stack.left if each.kind == KEY]
        belongings = list(_belongings(session, stack, keys, days))
        shown = list(_shown(session, stack, belongings, keys))
        if not yes:
            return "\n".join([*shown, "Nothing was done. With --yes all of this goes, and nothing brings it back."]), 1
        if stack.is_protected and not stack.is_deleted:
            raise NotRemoved(
                f"the stack {stack.name} is protected; if it is to go: aws cloudformation "
                f"update-termination-protection --no-enable-termination-protection --stack-name {stack.name}"
            )
        if not stack.is_deleted:
            _say(f"deleting the stack {stack.name} …")
            delete(session, stack)
        failed = [why for each in belongings if (why := _remove(session, each))]
        if failed:
            return "\n".join([*failed, "The key stays until the rest is gone: begin again when that is mended."]), 1
        return "\n".join([f"{stack.name} is gone.", *(_end(session, key, days) for key in keys)]), 0
    except NotRemoved as error:
        return f"Nothing more was done: {error}", 1


def _belongings(session: Any, stack: Leaving, keys: list[str], days: int) -> Iterator[Belonging]:
    for each in stack.left:
        if each.kind in KINDS:
            yield Belonging(each.name, each.physical, *KINDS[each.kind])
    yield from secrets_of(session, f"{stack.name}/", frozenset(keys), days)


def _shown(session: Any, stack: Leaving, belongings: list[Belonging], keys: list[str]) -> Iterator[str]:
    if stack.is_deleted:
        yield f"The stack {stack.name} ({stack.id}) is gone, and left:"
    else:
        yield f"The stack {stack.name} ({stack.id}): {stack.goes} resources without data, and"
    for each in belongings:
        yield on_one_line(f"  {each.name} ({each.physical}): {each.holds(session, each.physical) or 'gone already'}")
    for key in keys:
        yield f"  Key ({key}): without it nothing of this can be read"
    for left in stack.left:
        if left.kind not in KINDS and left.kind != KEY:
            yield f"Kept in any case: {left.name} ({left.physical}), with which other APIs of the account may log"


def _remove(session: Any, belonging: Belonging) -> str | None:
    """Why a thing stays; None where it is gone."""
    try:
        if belonging.holds(session, belonging.physical) is not None:
            _say(f"deleting {belonging.name} …")
            belonging.remove(session, belonging.physical)
    except (NotRemoved, ClientError) as error:
        return on_one_line(f"{belonging.name} stays: {error}")
    return None


def _end(session: Any, key: str, days: int) -> str:
    client = session.client("kms")
    try:
        metadata = client.describe_key(KeyId=key)["KeyMetadata"]
        if metadata["KeyState"] != "PendingDeletion":
            metadata = client.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    except client.exceptions.NotFoundException:
        return f"The key {key} is gone as well."
    until = f"{metadata['DeletionDate']:%Y-%m-%d}"
    return f"Its key goes on {until}; aws kms cancel-key-deletion --key-id {key} keeps it."


def _say(line: str) -> None:
    """Progress, which is no result."""
    print(line, file=sys.stderr, flush=True)
