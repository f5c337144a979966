"""A stack that is to go, or that went: what of it outlives it, as CloudFormation tells."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from broker.cli.teardown.belongings import NotRemoved, code_of

RETAINED = ("Retain", "RetainExceptOnCreate")

POLL_S, POLLS = 5, 720
"""How often it is asked whether the stack is gone: for an hour."""


@dataclass(frozen=True, slots=True)
class Left:
    """What outlives a stack: logical id, type and physical id."""

    name: str
    kind: str
    physical: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """The stack."""

    id: str
    name: str
    is_deleted: bool
    is_protected: bool
    goes: int
    """How many resources go with it."""
    left: tuple[Left, ...]


def find(session: Any, name: str) -> Leaving:
    """The stack of a name or an id; where there is none of the name any more, the last that was deleted.

    Raises:
        NotRemoved: there is none.
    """
    client = session.client("cloudformation")
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        found = _last_deleted(client, name)
    stack_id, deleted = found["StackId"], found["StackStatus"] == "DELETE_COMPLETE"
    # Of a stack that is gone, and of what was replaced while it stood, the events tell for 90 days.
    left = [each for each in _events(client, stack_id) if each["ResourceStatus"] == "DELETE_SKIPPED"]
    goes = 0
    if not deleted:
        declared = client.get_template(StackName=stack_id, TemplateStage="Processed")["TemplateBody"]["Resources"]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        stands = [each for page in pages for each in page["StackResourceSummaries"]]
        kept = [each for each in stands if _is_kept(declared.get(each["LogicalResourceId"], {}))]
        left, goes = kept + left, len(stands) - len(kept)
    protected = bool(found.get("EnableTerminationProtection"))
    return Leaving(stack_id, found["StackName"], deleted, protected, goes, tuple(_distinct(client, stack_id, left)))


def delete(session: Any, stack: Leaving) -> None:
    """Delete the stack, and wait until it is gone.

    Raises:
        NotRemoved: CloudFormation could not.
    """
    client = session.client("cloudformation")
    client.delete_stack(StackName=stack.id)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=stack.id, WaiterConfig={"Delay": POLL_S, "MaxAttempts": POLLS}
        )
    except WaiterError:
        stuck = {
            each["LogicalResourceId"]: each.get("ResourceStatusReason", "no reason is given")
            for each in _events(client, stack.id)
            if each["ResourceStatus"] == "DELETE_FAILED"
        }
        why = ", ".join(f"{name} ({reason})" for name, reason in stuck.items()) or "it takes too long"
        raise NotRemoved(f"the stack {stack.name} is not gone: {why}; begin again when that is mended") from None


def _last_deleted(client: Any, name: str) -> dict[str, Any]:
    pages = client.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    found = [each for page in pages for each in page["StackSummaries"] if each["StackName"] == name]
    if not found:
        raise NotRemoved(f"there is no stack {name} in this account and region, and none was deleted within 90 days")
    last: dict[str, Any] = max(found, key=lambda each: each.get("DeletionTime") or each["CreationTime"])
    return last


def _events(client: Any, stack_id: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from page["StackEvents"]


def _is_kept(resource: dict[str, Any]) -> bool:
    return resource.get("DeletionPolicy") in RETAINED


def _distinct(client: Any, stack_id: str, left: Iterable[dict[str, Any]]) -> Iterator[Left]:
    known: set[str] = set()
    for each in left:
        physical = each.get("PhysicalResourceId")
        if physical and physical not in known and not _is_anothers(client, stack_id, physical):
            known.add(physical)
            yield Left(each["LogicalResourceId"], each["ResourceType"], physical)


def _is_anothers(client: Any, stack_id: str, physical: str) -> bool:
    """True for what another stack has taken in since (`ResourcesToImport` of a change set)."""
    try:
        found = client.describe_stack_resources(PhysicalResourceId=physical)["StackResources"]
    except ClientError as error:
        if code_of(error) != "ValidationError":  # it belongs to none
            raise
        return False
    return any(
        each.get("PhysicalResourceId") == physical
        and each.get("StackId", stack_id) != stack_id
        and not each["ResourceStatus"].startswith("DELETE_")
        for each in found
    )
