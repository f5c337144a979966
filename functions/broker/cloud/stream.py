"""Records of the jobs table's stream, as the changes of heads that they stand for."""

from typing import Any

from broker.cloud.attributes import decode_item
from broker.delivery.publishing import HeadChange
from broker.jobs.head import Head


def change_of(record: dict[str, Any]) -> HeadChange:
    """The `dynamodb` part of a record of a head, with its old and its new image."""
    before = record.get("OldImage")
    return HeadChange(
        record["SequenceNumber"],
        Head.from_item(decode_item(before)) if before else None,
        Head.from_item(decode_item(record["NewImage"])),
    )
