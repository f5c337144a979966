"""Files in the bucket: the adapter of `files.record.FileBucket`.

What a client sends to the bucket itself is bounded by its signature: a header that is signed has to be sent as it was
signed, so S3 takes no other number of bytes, no other content than that of a digest, and nothing over an object that is
there (Amazon S3 API, "Signature Calculations: Query Parameters"; S3 User Guide, "Conditional writes").
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from broker.cloud.buckets import etag_of, write
from broker.cloud.objects import LINK_S
from broker.errors import InvalidRequest, Unavailable
from broker.files.record import Part, Stored, Target

MEDIA_TYPE = "application/octet-stream"

MOST_KEYS = 1000
"""Of one DeleteObjects."""

ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})

NOT_JOINED = {"EntityTooSmall": "bytes", "InvalidPart": "part_ids", "InvalidPartOrder": "part_ids"}
"""What S3 says of parts that it does not take together, and the field at fault."""


class FileObjects:
    """The files of one deployment's bucket."""

    def __init__(self, bucket: str, s3: Callable[[], Any]) -> None:
        """`s3` gives the client, so that it is not made before it is needed."""
        self.name = bucket
        self._s3 = s3

    def put(self, key: str, data: bytes) -> str:
        """See `FileBucket.put`."""
        return etag_of(self._s3().put_object(**self._at(key), Body=data, ContentType=MEDIA_TYPE))

    def look(self, key: str) -> Stored | None:
        """See `FileBucket.look`."""
        client = self._s3()
        try:
            reply = client.head_object(**self._at(key), ChecksumMode="ENABLED")
        except client.exceptions.ClientError as error:
            if _code(error) not in ABSENT:
                raise
            return None
        return Stored(reply["ContentLength"], etag_of(reply), _sha256(reply))

    def delete(self, keys: Iterable[str]) -> None:
        """See `FileBucket.delete`."""
        for some in _portions(list(keys), MOST_KEYS):
            wanted = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            reply = self._s3().delete_objects(Bucket=self.name, Delete=wanted)
            if reply.get("Errors"):
                raise Unavailable("Not all of the file could be deleted; try again.", code="not_deleted", retry_after=2)

    def read(self, key: str) -> bytes | None:
        """See `FileBucket.read`."""
        client = self._s3()
        try:
            return bytes(client.get_object(**self._at(key))["Body"].read())
        except client.exceptions.ClientError as error:
            if _code(error) not in ABSENT:
                raise
            return None

    def link(self, key: str, filename: str, seconds: int) -> str:
        """See `FileBucket.link`. Browsers save it, whatever it is, and show nothing that a tenant wrote."""
        named = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        return self._signed("get_object", seconds, **self._at(key), ResponseContentDisposition=named)

    def target(self, key: str, size: int, sha256: str | None, seconds: int) -> Target:
        """See `FileBucket.target`."""
        what: dict[str, Any] = {"ContentLength": size, "IfNoneMatch": "*"}
        headers = {"Content-Length": str(size), "If-None-Match": "*"}
        if sha256:
            digest = b64encode(bytes.fromhex(sha256)).decode()
            what["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = digest
        return Target(self._signed("put_object", seconds, **self._at(key), **what), headers, seconds)

    def join(self, key: str, sources: Sequence[str], time_left: Callable[[], bool]) -> tuple[Stored, str]:
        """See `FileBucket.join`. Never more of it is in memory than some pieces."""
        client, size = self._s3(), 0
        digest = hashlib.md5(usedforsecurity=False)

        def read() -> Iterator[bytes]:
            nonlocal size
            for source in sources:
                if not time_left():
                    raise Unavailable("There was no time to join all parts; try again.", code="busy", retry_after=2)
                data = self.read(source)
                if data is None:
                    raise InvalidRequest("There is no such part.", code="no_such_part", param="part_ids")
                size += len(data)
                digest.update(data)
                yield data

        etag = etag_of(write(client, self.name, key, read(), kind=MEDIA_TYPE))
        return Stored(size, etag), digest.hexdigest()

    def start(self, key: str) -> str:
        """See `FileBucket.start`."""
        return str(self._s3().create_multipart_upload(**self._at(key), ContentType=MEDIA_TYPE)["UploadId"])

    def part_target(self, key: str, upload: str, number: int, size: int) -> Target:
        """See `FileBucket.part_target`."""
        what = {"UploadId": upload, "PartNumber": number, "ContentLength": size}
        url = self._signed("upload_part", LINK_S, **self._at(key), **what)
        return Target(url, {"Content-Length": str(size)}, LINK_S)

    def parts(self, key: str, upload: str) -> list[Part]:
        """See `FileBucket.parts`."""
        client, found = self._s3(), list[Part]()
        more: dict[str, Any] = {}
        while True:
            try:
                reply = client.list_parts(**self._at(key), UploadId=upload, **more)
            except client.exceptions.ClientError as error:
                if _code(error) != "NoSuchUpload":
                    raise
                return []
            found += [Part(each["PartNumber"], each["Size"], etag_of(each)) for each in reply.get("Parts", ())]
            if not reply.get("IsTruncated"):
                return found
            more = {"PartNumberMarker": reply["NextPartNumberMarker"]}

    def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """See `FileBucket.finish`."""
        client = self._s3()
        made = [{"PartNumber": each.number, "ETag": each.etag} for each in parts]
        try:
            client.complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": made})
        except client.exceptions.ClientError as error:
            if (code := _code(error)) in NOT_JOINED:
                message = "The bucket does not take these parts together: each but the last has 5 MiB at least."
                raise InvalidRequest(message, code="parts_not_joined", param=NOT_JOINED[code]) from None
            if code != "NoSuchUpload":
                raise

    def abort(self, key: str, upload: str) -> None:
        """See `FileBucket.abort`."""
        client = self._s3()
        try:
            client.abort_multipart_upload(**self._at(key), UploadId=upload)
        except client.exceptions.ClientError as error:
            if _code(error) != "NoSuchUpload":
                raise

    def _signed(self, operation: str, seconds: int, **what: Any) -> str:
        return str(self._s3().generate_presigned_url(operation, Params=what, ExpiresIn=seconds))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": key}


def _portions(keys: list[str], most: int) -> Iterator[list[str]]:
    return (keys[first : first + most] for first in range(0, len(keys), most))


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])


def _sha256(reply: Any) -> str | None:
    """Of the whole object; that of one of parts is one of digests, and ends with their number."""
    told = reply.get("ChecksumSHA256")
    return None if told is None or "-" in told else b64decode(told).hex()
