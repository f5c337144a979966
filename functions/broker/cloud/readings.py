"""What was read of documents, until it is taken; and the text of their pictures, by Textract."""

import base64
import json
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from broker.cloud.objects import MISSING
from broker.documents.document import TooMuch
from broker.documents.layout import Box, read_lines, written
from broker.errors import NotFound

PREFIX = "documents/"
"""Below it nothing is kept: each goes when it was taken, and all else after thirty days, by the bucket's rule."""


class DocumentReadings:
    """The adapter of `batches.reading.Readings`."""

    def __init__(self, s3: Any, bucket: str, sqs: Any, queue_url: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._sqs = sqs
        self._url = queue_url

    def ask(self, event: dict[str, Any], tenant: str) -> None:
        """See `Readings.ask`. By groups the queue is fair: a tenant's folder of books does not delay another's page."""
        self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(event), MessageGroupId=tenant)

    def load(self, batch_id: str) -> dict[str, Any] | None:
        """See `Readings.load`."""
        try:
            reply = self._s3.get_object(Bucket=self._bucket, Key=_key(batch_id))
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != MISSING:
                raise
            return None
        facts: dict[str, Any] = json.loads(reply["Body"].read())
        return facts

    def keep(self, batch_id: str, facts: dict[str, Any]) -> None:
        """See `Readings.keep`."""
        body = json.dumps(facts, ensure_ascii=False).encode()
        self._s3.put_object(Bucket=self._bucket, Key=_key(batch_id), Body=body, ContentType="application/json")

    def keep_scan(self, batch_id: str, number: int, picture: bytes) -> None:
        """See `inbox.recipes.KeptReadings.keep_scan`."""
        self._s3.put_object(Bucket=self._bucket, Key=_scan(batch_id, number), Body=picture, ContentType="image/png")

    def load_scan(self, batch_id: str, number: int) -> str:
        """See `batches.documents.Readings.load_scan`."""
        return base64.b64encode(self._load(_scan(batch_id, number))).decode()

    def keep_pages(self, batch_id: str, number: int, path: Path) -> None:
        """See `inbox.recipes.KeptReadings.keep_pages`."""
        with path.open("rb") as file:
            self._s3.put_object(
                Bucket=self._bucket, Key=_pages(batch_id, number), Body=file, ContentType="application/pdf"
            )

    def load_pages(self, batch_id: str, number: int) -> bytes:
        """See `batches.documents.Readings.load_pages`."""
        return self._load(_pages(batch_id, number))

    def load_ended(self, batch_id: str, name: str) -> dict[str, Any]:
        """See `batches.documents.earlier.Kept`."""
        try:
            facts: dict[str, Any] = json.loads(self._load(_ended(batch_id, name)))
        except NotFound:
            return {}
        return facts

    def keep_ended(self, batch_id: str, name: str, facts: dict[str, Any]) -> None:
        """See `batches.documents.earlier.Kept`."""
        body = json.dumps(facts, ensure_ascii=False).encode()
        self._s3.put_object(Bucket=self._bucket, Key=_ended(batch_id, name), Body=body, ContentType="application/json")

    def forget(self, batch_id: str, scans: int = 0, gathered: int = 0, ended: Iterable[str] = ()) -> None:
        """See `Readings.forget`."""
        keys = [_key(batch_id), *(_scan(batch_id, number) for number in range(scans))]
        keys += [_pages(batch_id, number) for number in range(gathered)]
        keys += [_ended(batch_id, name) for name in ended]
        for key in keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _load(self, key: str) -> bytes:
        try:
            reply = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != MISSING:
                raise
            raise NotFound("A picture of the document is gone.", code="document_gone") from None
        data: bytes = reply["Body"].read()
        return data


def _key(batch_id: str) -> str:
    return f"{PREFIX}{batch_id}.json"


def _scan(batch_id: str, number: int) -> str:
    return f"{PREFIX}{batch_id}/scan-{number:04}.png"


def _ended(batch_id: str, name: str) -> str:
    return f"{PREFIX}{batch_id}/ended-{name}.json"


def _pages(batch_id: str, number: int) -> str:
    return f"{PREFIX}{batch_id}/pages-{number:04}.pdf"


class TextractOcr:
    """Reads pictures of pages; the adapter of `documents.sandbox.Ocr`.

    Source: Amazon Textract Developer Guide, DetectDocumentText (PNG and JPEG of up to 10 MB, a page each).
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, pictures: list[Path], seconds: float) -> list[str]:
        """The text of each picture; none of one that Textract does not take.

        Raises:
            TooMuch: the time is over.
            ClientError: Textract is throttled or fails, after the client's own repeats; the document can come again.
        """
        ends = time.monotonic() + seconds
        texts = []
        for path in pictures:
            if time.monotonic() > ends:
                raise TooMuch("Reading its pictures takes too long.", code="document_timed_out")
            texts.append(self._text(path.read_bytes()))
        return texts

    def _text(self, picture: bytes) -> str:
        refused = self._client.exceptions
        try:
            reply = self._client.detect_document_text(Document={"Bytes": picture})
        except (refused.BadDocumentException, refused.DocumentTooLargeException, refused.UnsupportedDocumentException):
            return ""
        width, height = struct.unpack(">II", picture[16:24])  # of a PNG's first chunk
        pieces = [
            (_box(block, width, height), str(block["Text"]))
            for block in reply["Blocks"]
            if block["BlockType"] == "LINE"
        ]
        return written(read_lines(pieces))


def _box(block: dict[str, Any], width: int, height: int) -> Box:
    """In dots; Textract tells shares of the page."""
    box = block.get("Geometry", {}).get("BoundingBox", {})
    left, top = box.get("Left", 0.0) * width, box.get("Top", 0.0) * height
    return left, top, left + box.get("Width", 0.0) * width, top + box.get("Height", 0.0) * height
