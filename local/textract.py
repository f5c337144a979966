"""Amazon Textract on this machine: it really reads (`local.ocr`), and is as strict as the service.

Documents of a bucket are read in a thread, with the service's tokens, pages of results, limits and errors (each
operation's page in its API Reference). It finds tables where cells stand below each other, and fields where a line says
`key: value`, which is less than the service does.

An order, sent as `POST /local/textract` with `{"refuse": code, "times": n}`, has it answer the next requests that start
something with that error.
"""

import io
import json
import tempfile
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from local.textract_blocks import blocks_of

Json = dict[str, Any]
Read = Callable[[list[Path]], list[list[tuple[tuple[float, float, float, float], str]]]]
"""Pieces of text in pictures, with where they stand, in dots."""

Load = Callable[[str, str, str | None], bytes]
"""An object of a bucket, perhaps of one version. Raises LookupError."""

MOST_BYTES, MOST_PAGES, AT_WORK = 524_288_000, 3_000, 100
"""Of a document, and documents at a time (developer guide, "Set quotas" and "Default quotas")."""

MOST_RESULTS, KEPT_S = 1_000, 604_800
"""Blocks of one reply; and how long results are kept."""

KINDS = ((b"%PDF", "pdf"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"\x89PNG", "picture"), (b"\xff\xd8", "picture"))
SCALE = 200 / 72


class Refused(Exception):
    """An error of the service."""

    def __init__(self, code: str, message: str = "") -> None:
        """Keep its code."""
        super().__init__(message or code)
        self.code = code


@dataclass(slots=True)
class _Work:
    kind: str
    asked: Json
    begun: float
    status: str = "IN_PROGRESS"
    pages: int = 0
    blocks: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Documents:
    """The asynchronous operations."""

    load: Load
    read: Read
    clock: Callable[[], float] = time.time
    run: Callable[[Callable[[], None]], None] = lambda work: Thread(target=work, daemon=True).start()
    """Does the work, by itself."""
    at_work: int = AT_WORK
    _works: dict[str, _Work] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _orders: deque[str] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def order(self, asked: Json) -> Json:
        """Have the next starts refused."""
        self._orders.extend([asked["refuse"]] * asked.get("times", 1))
        return {}

    def start(self, kind: str, asked: Json) -> Json:
        """`StartDocumentTextDetection` (kind `text`) or `StartDocumentAnalysis` (`analysis`).

        Raises:
            Refused: as the service does.
        """
        if self._orders:
            raise Refused(self._orders.popleft())
        if kind == "analysis" and not set(asked.get("FeatureTypes", ())) & {"FORMS", "TABLES"}:
            raise Refused("InvalidParameterException")
        token = asked.get("ClientRequestToken")
        with self._lock:
            if token in self._tokens:
                known = self._works[self._tokens[token]]
                if (known.kind, known.asked) != (kind, asked):
                    raise Refused("IdempotentParameterMismatchException")
                return {"JobId": self._tokens[token]}
            if sum(work.status == "IN_PROGRESS" for work in self._works.values()) >= self.at_work:
                raise Refused("LimitExceededException")
            data, what = self._document(asked)
            job_id, work = uuid.uuid4().hex, _Work(kind, asked, self.clock())
            self._works[job_id] = work
            if token:
                self._tokens[token] = job_id
        self.run(lambda: self._do(work, data, what))
        return {"JobId": job_id}

    def get(self, kind: str, asked: Json) -> Json:
        """`GetDocumentTextDetection` or `GetDocumentAnalysis`.

        Raises:
            Refused: as the service does.
        """
        work = self._works.get(asked.get("JobId", ""))
        if work is None or work.kind != kind or self.clock() - work.begun > KEPT_S:
            raise Refused("InvalidJobIdException")
        if work.status == "IN_PROGRESS":
            return {"JobStatus": work.status}
        most, first = min(asked.get("MaxResults", MOST_RESULTS), MOST_RESULTS), 0
        if "NextToken" in asked:
            if not asked["NextToken"].isdecimal() or int(asked["NextToken"]) >= len(work.blocks):
                raise Refused("InvalidParameterException")
            first = int(asked["NextToken"])
        reply: Json = {"JobStatus": work.status, "Blocks": work.blocks[first : first + most]}
        reply["DocumentMetadata"] = {"Pages": work.pages}
        return reply | ({"NextToken": str(first + most)} if first + most < len(work.blocks) else {})

    def _document(self, asked: Json) -> tuple[bytes, str]:
        place = asked.get("DocumentLocation", {}).get("S3Object", {})
        try:
            data = self.load(place["Bucket"], place["Name"], place.get("Version"))
        except LookupError:
            raise Refused("InvalidS3ObjectException") from None
        if len(data) > MOST_BYTES:
            raise Refused("DocumentTooLargeException")
        kind = next((kind for mark, kind in KINDS if data.startswith(mark)), None)
        if kind is None:
            raise Refused("UnsupportedDocumentException")
        return data, kind

    def _do(self, work: _Work, data: bytes, what: str) -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                pictures = list(_pictures(data, what, Path(folder)))
                pieces = self.read([path for path, _ in pictures]) if pictures else []
            sizes = [size for _, size in pictures]
            wanted = frozenset(work.asked.get("FeatureTypes", ()))
            for number, (size, found) in enumerate(zip(sizes, pieces, strict=True), 1):
                work.blocks += blocks_of(found, size, wanted, number)
            work.pages, work.status = len(pictures), "SUCCEEDED" if pictures else "FAILED"
        except Exception:
            traceback.print_exc()  # a file that is none, or a fault of ours: the service says as little of either
            work.status = "FAILED"


def _pictures(data: bytes, what: str, folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """The pages as pictures, with their sizes; none of more pages than it takes."""
    import pypdfium2 as pdfium
    from PIL import Image, ImageSequence

    if what == "pdf":
        document = pdfium.PdfDocument(data)
        pages = (page.render(scale=SCALE, grayscale=True).to_pil() for page in document)
        count = len(document)
    else:
        image = Image.open(io.BytesIO(data))
        count = getattr(image, "n_frames", 1)
        pages = (frame.convert("RGB") for frame in ImageSequence.Iterator(image))
    if count > MOST_PAGES:
        return
    for number, page in enumerate(pages):
        path = folder / f"{number:05}.png"
        page.save(path)
        yield path, page.size


def from_buckets(client: Callable[[], Any]) -> Load:
    """Loads objects of the cloud's S3."""

    def load(bucket: str, key: str, version: str | None) -> bytes:
        s3 = client()
        try:
            reply = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
        except s3.exceptions.ClientError as error:
            raise LookupError(key) from error
        data: bytes = reply["Body"].read()
        return data

    return load


def said_of(refused: Refused) -> tuple[bytes, list[tuple[str, str]]]:
    """An error as the service says it: body and headers."""
    body = json.dumps({"__type": refused.code, "Message": str(refused)}).encode()
    return body, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", refused.code)]
