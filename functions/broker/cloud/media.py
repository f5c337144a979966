"""Pictures, documents and sounds that a request names: objects of the inbox, or bytes of its own."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from broker.cloud.buckets import GONE
from broker.cloud.payloads import file_key
from broker.errors import InvalidRequest
from broker.jobs.media_references import owned
from broker.jobs.store import NoteOwner, Payloads
from broker.providers.wire.base import Blob, Measured

PDF = "application/pdf"
FORBIDDEN = frozenset({"403", "AccessDenied", "KMS.DisabledException", "KMS.NotFoundException"})
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
        pinned = self._pinned(reference)
        if pinned:
            return pinned
        bucket, key = self._place(reference)
        client = self._s3()
        try:
            reply = client.get_object(Bucket=bucket, Key=key)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            raise _gone() from None
        if reply["ContentLength"] > MOST_BYTES:
            message = f"The file is larger than {MOST_BYTES} bytes."
            raise InvalidRequest(message, code="file_too_large", param="input.file.s3")
        return Blob(reply["Body"].read(), reference.get("media_type") or reply["ContentType"])

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """See `Media.place`."""
        if "data" not in reference:
            name = _pin_of(reference)
            if self._payloads.facts(self._job.id, name) is None:
                return self._place(reference)
            return self._bucket, file_key(self._job.id, name, 1)
        data = _decoded(reference["data"])
        name = _name_of(data)
        (key,) = self._payloads.save(self._job, name, {}, files=[(data, reference["media_type"])]).files
        return self._bucket, key

    def measure(self, reference: Mapping[str, str]) -> Measured:
        """See `Media.measure`."""
        bucket, key = self.place(reference)
        client = self._s3()
        try:
            size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code in FORBIDDEN:
                message = "The broker may not read the file, or not use the key that it is encrypted with."
                raise InvalidRequest(message, code="file_forbidden", param="input.file.s3") from None
            if code not in (*GONE, "404"):  # a HEAD has no body that would say more
                raise
            raise _gone() from None
        return Measured(size, client.meta.region_name)

    def pin(self, reference: Mapping[str, str]) -> None:
        """See `Media.pin`. It is a copy that goes with the job; one that is there stays as it is."""
        if "data" in reference or self._payloads.facts(self._job.id, _pin_of(reference)) is not None:
            return
        blob = self.read(reference)
        facts = {"media_type": blob.media_type}
        self._payloads.save(self._job, _pin_of(reference), {}, facts, [(blob.data, blob.media_type)])

    def link(self, reference: Mapping[str, str]) -> str:
        """A URL of the bytes for a quarter of an hour. Of an object, these are what all get from then on (`pin`).

        Raises:
            InvalidRequest: as `read`.
        """
        if "data" not in reference:
            self.pin(reference)
            return self._payloads.link(self._job.id, _pin_of(reference), 1)
        self.place(reference)
        return self._payloads.link(self._job.id, _name_of(_decoded(reference["data"])), 1)

    def _pinned(self, reference: Mapping[str, str]) -> Blob | None:
        name = _pin_of(reference)
        facts = self._payloads.facts(self._job.id, name)
        if facts is None:
            return None
        data = self._payloads.load_file(self._job.id, name, 1)
        if data is None:
            raise _gone()
        return Blob(data, reference.get("media_type") or facts["media_type"])

    def hand(self, name: str, data: bytes | None = None) -> tuple[str, str]:
        """See `Media.hand`."""
        return self._bucket, self._payloads.hand(self._job, name, data)

    def _place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        # Checked when the job was accepted, and once more where it counts.
        return owned(reference["s3"], self._tenant, self._inbox, "input.file.s3")


def pin_pages(payloads: Payloads, job: NoteOwner, address: str, data: bytes) -> None:
    """Have a job find a PDF at an address, whatever lies there; the adapter of `batches.documents.Pin`."""
    payloads.save(job, _pin_of({"s3": address}), {}, {"media_type": PDF}, [(data, PDF)])


def _name_of(data: bytes) -> str:
    return f"MEDIA#{hashlib.sha256(data).hexdigest()[:16]}"


def _pin_of(reference: Mapping[str, str]) -> str:
    return f"MEDIA#pin-{hashlib.sha256(reference['s3'].encode()).hexdigest()[:32]}"


def _gone() -> InvalidRequest:
    return InvalidRequest("The file is not in the inbox.", code="file_gone", param="input.file.s3")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidRequest("The file is not base64.", code="invalid_base64", param="input.file.data") from None
