"""Amazon Textract: the text of pictures and documents, their forms and tables.

Source: Amazon Textract Developer Guide, "Processing documents synchronously" (pictures, and documents of one page) and
"asynchronously" (PDF and TIFF of up to 3,000 pages, from S3). A document that cannot be seen to have one page goes
the asynchronous way, which takes those too.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from broker.errors import InvalidRequest, Rejected, Throttled, Unavailable
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import (
    AwsService,
    Exchange,
    bad,
    count,
    features,
    image,
    named,
    rows,
    text,
)
from broker.providers.aws.textract_blocks import Blocks
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.providers.wire.exchange import unsupported_task

LARGEST_BYTES = 10_485_760
"""Of what is sent as bytes."""
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
LARGEST_OBJECT = 524_288_000
"""Of a PDF or TIFF that it reads from S3 ("Set quotas in Amazon Textract")."""

MOST_PAUSES, PAUSES_S, LONGEST_PAUSE_S = 5, (0.5, 2.0), 5.0
"""Between requests for more of a result."""

MOST_OF_TOKEN = 255
"""Characters of where a result goes on."""

GONE = frozenset({"InvalidJobIdException"})
"""Of work that it does not know any more, after seven days: what it gave is lost, and was paid for."""

FEATURES = frozenset({"forms", "tables"})
SUFFIXES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png"} | {
    "pdf": "application/pdf",
    "tif": "image/tiff",
    "tiff": "image/tiff",
}
PICTURES = frozenset({"image/jpeg", "image/png"})
DOCUMENTS = frozenset({"application/pdf", "image/tiff"})

STARTS = {"text": "start_document_text_detection", "analysis": "start_document_analysis"}
GETS = {"text": "get_document_text_detection", "analysis": "get_document_analysis"}
DONE = frozenset({"SUCCEEDED", "PARTIAL_SUCCESS"})

ERRORS: dict[str, Row] = {
    **dict.fromkeys(
        ("UnsupportedDocumentException", "BadDocumentException"), (Rejected, "cannot read such a document")
    ),
    "DocumentTooLargeException": (Rejected, "takes no document of this size"),
    "InvalidS3ObjectException": (Rejected, "cannot get at the document"),
    "InvalidJobIdException": (Unavailable, "knows nothing of the work any more"),
    "IdempotentParameterMismatchException": (Rejected, "was asked for other work by the same name"),
}


class Textract:
    """See `base.Asynchronous`."""

    tasks = frozenset({"extract_text"})

    def __init__(self, make: MakeClient = make_client, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits for so many seconds, while a result is read whose reading is throttled."""
        self._pause = pause
        self._service = AwsService("textract", "Textract", ERRORS, make)

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """Make the call; see `Provider`."""
        if call.task not in self.tasks:
            raise unsupported_task()
        asked: Json = {}
        if wanted := features(call, FEATURES):
            asked["FeatureTypes"] = sorted(each.upper() for each in wanted)
        kind = "analysis" if wanted else "text"
        exchange = Exchange(self._service, call)
        if _has_one_page(call):
            operation = "analyze_document" if wanted else "detect_document_text"
            reply = exchange.ask(operation, Document=image(call, LARGEST_BYTES), **asked)
            blocks = Blocks()
            blocks.take(rows(reply.get("Blocks"), "blocks"))
            return exchange.answer(**_told(blocks, _pages(reply), wanted))
        _check_place(call)
        bucket, key = call.media.place(call.input["file"])
        asked["DocumentLocation"] = {"S3Object": {"Bucket": bucket, "Name": key}}
        job = exchange.ask(STARTS[kind], ClientRequestToken=named(call.token), **asked).get("JobId")
        if not isinstance(job, str) or not job:
            bad("The service's reply has no job.")
        return OperationStarted({"job": job, "kind": kind})

    def goes_on(self, call: Call) -> bool:
        """True for what is read asynchronously."""
        try:
            return not _has_one_page(call)
        except (InvalidRequest, Rejected):
            return False  # the call itself says what is wrong with it

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """Ask after work that was started; see `Asynchronous`. The service keeps results for seven days.

        Where only the question fails, nothing was paid for by it and the work goes on.
        """
        try:
            return self._check(call, operation_id)
        except (Throttled, Unavailable) as error:
            error.maybe_paid = error.code in GONE
            raise

    def _check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        exchange = Exchange(self._service, call)
        operation, asked = GETS[operation_id["kind"]], {"JobId": operation_id["job"]}
        reply = exchange.ask(operation, **asked)
        status = text(reply.get("JobStatus"), "status")
        if status == "IN_PROGRESS":
            return OperationStarted(dict(operation_id))
        if status == "FAILED":
            bad("Textract could not do the work.", code="job_failed")
        if status not in DONE:
            bad("The service's reply has no status.")
        pages, blocks, missing = _pages(reply), Blocks(), set[int]()
        while True:
            blocks.take(rows(reply.get("Blocks"), "blocks"))
            for warning in rows(reply.get("Warnings") or [], "warnings"):
                missing.update(_missing(warning))
            if not reply.get("NextToken"):
                break
            reply = self._next(exchange, operation, {**asked, "NextToken": _token(reply["NextToken"])})
        answer = _told(blocks, pages, features(call, FEATURES))
        if missing:
            answer["output"]["missing_pages"] = sorted(missing)
        return exchange.answer(**answer)

    def _next(self, exchange: Exchange, operation: str, asked: Json) -> Json:
        """More of a result; where it is throttled, after pauses, for who begins anew reads all of it once more."""
        for _ in range(MOST_PAUSES):
            try:
                return exchange.ask(operation, **asked)
            except Throttled as error:
                self._pause(min(error.retry_after or random.uniform(*PAUSES_S), LONGEST_PAUSE_S))  # noqa: S311 - jitter
        return exchange.ask(operation, **asked)


def _token(given: Any) -> str:
    """Where more of a result begins, as it can be asked for (API reference, `NextToken`)."""
    token = text(given, "token")
    if not token.strip() or len(token) > MOST_OF_TOKEN:
        bad("Textract's answer names no place where it goes on.")
    return token


def _check_place(call: Call) -> None:
    """Hold what is to be read by S3 against what the service takes, before anything is started.

    Raises:
        InvalidRequest: it is not there.
        Rejected: it is too large, or in a region that the model's service does not read.
    """
    measured = call.media.measure(call.input["file"])
    if not 0 < measured.bytes <= LARGEST_OBJECT:
        message = f"The file has to have between 1 and {LARGEST_OBJECT} bytes."
        raise Rejected(message, code="bad_size", param="input.file")
    if call.endpoint != measured.region and REGION.fullmatch(call.endpoint or ""):
        message = f"The model is of the region {call.endpoint}, and reads no files of {measured.region}."
        raise Rejected(message, code="other_region", param="input.file")


def _told(blocks: Blocks, pages: int, wanted: frozenset[str]) -> dict[str, Any]:
    output: Json = {"text": blocks.text(), "pages": pages}
    if "forms" in wanted:
        output["fields"] = blocks.fields()
    if "tables" in wanted:
        output["tables"] = blocks.tables()
    if wanted:
        output["layout"] = blocks.layout(pages)
    return {"output": output, "units": {"pages": pages, **dict.fromkeys(sorted(wanted), pages)}}


def _missing(warning: Json) -> list[int]:
    pages = warning.get("Pages") or []
    if not isinstance(pages, list):
        bad("The service's reply has a warning of no pages.")
    return [count(page, "page") for page in pages]


def _pages(reply: Json) -> int:
    document = reply.get("DocumentMetadata")
    return count(document.get("Pages") if isinstance(document, dict) else None, "number of pages")


def _has_one_page(call: Call) -> bool:
    """True for what surely has; an object of S3 is not looked into.

    Raises:
        InvalidRequest: there is none.
        Rejected: it is no picture and no document that the service reads.
    """
    reference = call.input.get("file")
    if not isinstance(reference, Mapping):
        raise InvalidRequest("The request has no file.", code="no_input", param="input.file")
    name = reference.get("s3") or ""
    kind = reference.get("media_type") or SUFFIXES.get(name.rpartition(".")[2].lower())
    kind = kind or call.media.read(reference).media_type
    if kind not in PICTURES | DOCUMENTS:
        message = "The file has to be a JPEG, PNG, PDF or TIFF."
        raise Rejected(message, code="unsupported_media_type", param="input.file")
    if kind in PICTURES or name:
        return kind in PICTURES
    data = call.media.read(reference).data
    return len(data) <= LARGEST_BYTES and (_is_short_pdf(data) or _is_short_tiff(data))


def _is_short_pdf(data: bytes) -> bool:
    """Pages of a PDF are told by their type, except in compressed object streams (ISO 32000-2, 7.5.7)."""
    return data[:4] == b"%PDF" and b"/ObjStm" not in data and len(re.findall(rb"/Type\s*/Page(?![A-Za-z])", data)) == 1


def _is_short_tiff(data: bytes) -> bool:
    """A TIFF's directories, one for each page, are a chain that ends with 0 (TIFF 6.0, section 2)."""
    order: Any = {b"II*\0": "little", b"MM\0*": "big"}.get(data[:4])
    if order is None:
        return False
    first = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[first : first + 2], order)
    following = data[first + 2 + 12 * entries :][:4]
    return len(following) == 4 and int.from_bytes(following, order) == 0
