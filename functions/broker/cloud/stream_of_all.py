"""Records of the jobs table's stream, as the changes of heads and batches: who publishes needs heads alone."""

from typing import Any

from broker.batches.batch import Batch
from broker.cloud.attributes import decode_item
from broker.cloud.stream import change_of
from broker.delivery.publishing import HeadChange
from broker.push.changes import BatchChange


def any_change_of(record: dict[str, Any]) -> HeadChange | BatchChange | None:
    """The change of a head or of a batch; None for files of the inbox, which have a record like a batch's."""
    if record["Keys"]["sk"]["S"] == "HEAD":
        return change_of(record)
    if "rev" not in record["NewImage"]:
        return None
    before = record.get("OldImage")
    after = Batch.from_item(decode_item(record["NewImage"]))
    return BatchChange(Batch.from_item(decode_item(before)) if before else None, after)
