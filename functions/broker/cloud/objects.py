"""Objects of the payloads bucket. Beside each, and before it, stands a note of when it ends.

    pk of whose it is   sk ENDS#{key}   due ENDS#{shard}, due_at in milliseconds

So there is never an object that nothing ends, whoever dies on the way, and `jobs.cleaning` finds each by its time. Only
what is too large for the table pays for it. The notes have no TTL of their own: one goes when its object has gone.
"""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from broker.cloud.attributes import encode_item
from broker.jobs.cleaning import NOTE, Ending, key_of, note
from broker.storage import Item

MOST_ITEMS = 25
"""Of one BatchWriteItem."""

LINK_S = 900
"""How long a link to an object works; the function's own credentials may end it sooner."""

MISSING = "NoSuchKey"
FORBIDDEN = "AccessDenied"
"""What S3 says of an object that is not there to who may not list the bucket (Amazon S3 API reference, GetObject)."""


class ObjectMissing(Exception):
    """There is no such object; where `certain` is False, it may also be one that may not be read."""

    def __init__(self, *, certain: bool) -> None:
        super().__init__("there is no such object")
        self.certain = certain


class BucketObjects:
    """The objects of one deployment's bucket."""

    def __init__(self, table: str, bucket: str, s3: Any, dynamodb: Any) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb

    def announce(self, pk: str, key: str, until: int) -> None:
        """Note that an object may come to be, and ends at `until` (epoch SECONDS); again overwrites."""
        self._dynamodb().put_item(TableName=self._table, Item=encode_item(note(pk, key, until * 1000)))

    def put(self, pk: str, key: str, data: bytes | IO[bytes], until: int, **how: str) -> None:
        """Keep an object (bytes, or a file of them) until then; again overwrites. `how` is more for `PutObject`."""
        self.announce(pk, key, until)
        self._s3().put_object(Bucket=self._bucket, Key=key, Body=data, **how)

    def copy(self, pk: str, key: str, source: str, until: int) -> None:
        """Keep what another object holds under a key of its own until then; again overwrites.

        Raises:
            ObjectMissing: the other is not there, for all that S3 says.
        """
        self.announce(pk, key, until)
        client = self._s3()
        try:
            client.copy_object(Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": source})
        except client.exceptions.ClientError as error:
            raise _missing(error) from error

    def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            ObjectMissing: it is not there, for all that S3 says.
        """
        client = self._s3()
        try:
            return bytes(client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except client.exceptions.ClientError as error:
            raise _missing(error) from error

    def link(self, key: str, seconds: int = LINK_S) -> str:
        """A URL at which anyone may read an object for so long."""
        what = {"Bucket": self._bucket, "Key": key}
        return str(self._s3().generate_presigned_url("get_object", Params=what, ExpiresIn=seconds))

    def delete(self, pk: str, key: str, *, may_come_back: bool = False) -> None:
        """Delete an object and its note; may be repeated. What others may still write keeps its note."""
        self._s3().delete_object(Bucket=self._bucket, Key=key)
        if not may_come_back:
            self._dynamodb().delete_item(TableName=self._table, Key={"pk": {"S": pk}, "sk": {"S": f"{NOTE}{key}"}})

    def end(self, endings: Sequence[Ending]) -> int:
        """See `cleaning.Objects.end`. An object goes before its note, so that whatever stops this, it is repeated."""
        objects = [{"Key": key_of(each)} for each in endings]
        reply = self._s3().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        kept = {each["Key"] for each in reply.get("Errors", ())}
        gone = [each for each in endings if key_of(each) not in kept]
        for first in range(0, len(gone), MOST_ITEMS):
            some = gone[first : first + MOST_ITEMS]
            deletes = [{"DeleteRequest": {"Key": {"pk": {"S": each.pk}, "sk": {"S": each.sk}}}} for each in some]
            # What is not processed is found again, and its object is deleted once more.
            self._dynamodb().batch_write_item(RequestItems={self._table: deletes})
        return len(gone)


def _missing(error: Any) -> Exception:
    """What an error of S3's means: that an object is not there, or the error itself."""
    code = error.response["Error"]["Code"]
    return ObjectMissing(certain=code == MISSING) if code in (MISSING, FORBIDDEN) else error


def keys_in(items: Sequence[Item]) -> Iterator[str]:
    """Keys of the objects that are announced among the items of a partition."""
    return (item["sk"].removeprefix(NOTE) for item in items if item["sk"].startswith(NOTE))
