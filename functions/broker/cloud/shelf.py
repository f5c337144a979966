"""The cache table, beyond what all tables can do."""

from typing import Any

from broker.cloud.attributes import decode_item
from broker.storage import Item


class DynamoShelf:
    """The adapter of `cache.answers.Shelf`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def newest(self, pk: str, limit: int) -> list[Item]:
        """See `Shelf.newest`."""
        reply = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ScanIndexForward=False,
            Limit=limit,
        )
        return [decode_item(item) for item in reply["Items"]]

    def drop(self, pk: str, sk: str, job_id: str) -> None:
        """See `Shelf.drop`."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key={"pk": {"S": pk}, "sk": {"S": sk}},
                ConditionExpression="job_id = :job",
                ExpressionAttributeValues={":job": {"S": job_id}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # gone, or another job's by now
