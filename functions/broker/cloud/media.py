"""Pictures, documents and sounds that a request names: objects of the inbox, or bytes of its own."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from broker.cloud.buckets import GONE
from broker.errors import InvalidRequest
from broker.jobs.media_references import owned
from broker.jobs.store import NoteOwner, Payloads
from broker.providers.wire.base import Blob

MOST_BYTES = 25_000_000
"""That a function reads into its memory; services that read S3 themselves take more."""


class JobMedia:
    """The adapter of `wire.base.Media` for one job."""

    def __init__(
        self, job: NoteOwner, tenant: str, inbox: str, payloads: Payloads, bucket: str, s3: Callable[[], Any]
    ) -> None:
        """`inbox` and `bucket` (of the payloads) are names; `s3` gives the client, where one is needed."""
        self._job = job
        self._tenant = tenant
        self._inbox = inbox
        self._payloads = payloads
        self._bucket = bucket
        self._s3 = s3

    def read(self, reference: Mapping[str, str]) -> Blob:
        """See `Media.read`."""
        if "data" in reference:
            return Blob(_decoded(reference["data"]), reference["media_type"])
        bucket, key = self._place(reference)
        client = self._s3()
        try:
            reply = client.get_object(Bucket=bucket, Key=key)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            raise InvalidRequest("The file is not in the inbox.", code="file_gone", param="input.file.s3") from None
        if reply["ContentLength"] > MOST_BYTES:
            message = f"The file is larger than {MOST_BYTES} bytes."
            raise InvalidRequest(message, code="file_too_large", param="input.file.s3")
        return Blob(reply["Body"].read(), reference.get("media_type") or reply["ContentType"])

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """See `Media.place`."""
        if "data" not in reference:
            return self._place(reference)
        data = _decoded(reference["data"])
        name = f"MEDIA#{hashlib.sha256(data).hexdigest()[:16]}"
        (key,) = self._payloads.save(self._job, name, {}, files=[(data, reference["media_type"])]).files
        return self._bucket, key

    def hand(self, name: str, data: bytes | None = None) -> tuple[str, str]:
        """See `Media.hand`."""
        return self._bucket, self._payloads.hand(self._job, name, data)

    def _place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        # Checked when the job was accepted, and once more where it counts.
        return owned(reference["s3"], self._tenant, self._inbox, "input.file.s3")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidRequest("The file is not base64.", code="invalid_base64", param="input.file.data") from None
