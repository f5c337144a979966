"""What belongs to a stack and outlives it, what it holds, and how it is removed."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""How services say that there is no such thing."""

AT_ONCE = 1_000
"""Versions that S3 lists, and deletes, in one request."""


class NotRemoved(Exception):
    """Something could not be removed, or must not be; the message says what, and why."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """One thing; `holds` is a few words for people, None where it is gone already."""

    name: str
    """The logical id in the template, or what a secret is called."""
    physical: str
    holds: Callable[[Any, str], str | None]
    remove: Callable[[Any, str], None]


def code_of(error: ClientError) -> str:
    """The service's name of an error."""
    return str(error.response["Error"]["Code"])


def _table(session: Any, name: str) -> str | None:
    reply = _found(lambda: session.client("dynamodb").describe_table(TableName=name))
    if reply is None or reply["Table"]["TableStatus"] == "DELETING":
        return None
    table = reply["Table"]
    if table.get("DeletionProtectionEnabled"):
        raise NotRemoved(
            f"the table {name} is protected; if it is to go: "
            f"aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled"
        )
    return f"some {table.get('ItemCount', 0)} items, as counted within the last six hours"


def _delete_table(session: Any, name: str) -> None:
    session.client("dynamodb").delete_table(TableName=name)


def _bucket(session: Any, name: str) -> str | None:
    page = _found(lambda: session.client("s3").list_object_versions(Bucket=name, MaxKeys=AT_ONCE))
    if page is None:
        return None
    some = len(_versions(page))
    return f"more than {some} versions of objects" if page.get("IsTruncated") else f"{some} versions of objects"


def _delete_bucket(session: Any, name: str) -> None:
    client = session.client("s3")
    # From the start each time: what was listed before is gone.
    while versions := _versions(client.list_object_versions(Bucket=name, MaxKeys=AT_ONCE)):
        reply = client.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
        if failed := reply.get("Errors"):
            raise NotRemoved(
                f"{len(failed)} objects of {name} stay ({failed[0].get('Code')}), as {failed[0].get('Key')}"
            )
    client.delete_bucket(Bucket=name)


def _versions(page: dict[str, Any]) -> list[dict[str, str]]:
    found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def _queue(session: Any, url: str) -> str | None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    reply = _found(lambda: session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names))
    return None if reply is None else f"some {sum(int(reply['Attributes'].get(each, 0)) for each in names)} messages"


def _delete_queue(session: Any, url: str) -> None:
    session.client("sqs").delete_queue(QueueUrl=url)


def _log_group(session: Any, name: str) -> str | None:
    groups = session.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    size = next((each.get("storedBytes", 0) for each in groups if each["logGroupName"] == name), None)
    return None if size is None else f"{size} bytes of logs"


def _delete_log_group(session: Any, name: str) -> None:
    session.client("logs").delete_log_group(logGroupName=name)


def _secret(session: Any, name: str) -> str | None:
    return "a secret"


def delete_secret(days: int) -> Callable[[Any, str], None]:
    """Deletes a secret; so many days it can be restored."""

    def remove(session: Any, name: str) -> None:
        session.client("secretsmanager").delete_secret(SecretId=name, RecoveryWindowInDays=days)

    return remove


def _found(ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The reply; None where there is no such thing."""
    try:
        return ask()
    except ClientError as error:
        if code_of(error) not in GONE:
            raise
        return None


KINDS: dict[str, tuple[Callable[[Any, str], str | None], Callable[[Any, str], None]]] = {
    "AWS::DynamoDB::Table": (_table, _delete_table),
    "AWS::S3::Bucket": (_bucket, _delete_bucket),
    "AWS::SQS::Queue": (_queue, _delete_queue),
    "AWS::Logs::LogGroup": (_log_group, _delete_log_group),
}
"""Types of what may outlive a stack, beside its key: what it holds, and how it goes."""


def secrets_of(session: Any, prefix: str, keys: Collection[str], days: int) -> Iterator[Belonging]:
    """The secrets of a stack: of its prefix, and encrypted with a key of its own.

    The prefix alone would do as well for the secrets of a later stack of the same name.
    """
    client = session.client("secretsmanager")
    for page in client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}]):
        for each in page["SecretList"]:
            name = each["Name"]
            if name.startswith(prefix) and _is_of(client.describe_secret(SecretId=name), keys):
                yield Belonging(f"secret {name}", name, _secret, delete_secret(days))


def _is_of(secret: dict[str, Any], keys: Collection[str]) -> bool:
    return not secret.get("DeletedDate") and str(secret.get("KmsKeyId", "")).rpartition("/")[2] in keys
