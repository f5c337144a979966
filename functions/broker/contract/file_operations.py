"""What clients may ask of files and uploads, and what they are shown."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from broker.contract.anthropic import AnthropicFile, AnthropicFileDeleted, AnthropicFileList
from broker.contract.common import Count, OneOf, Shown
from broker.contract.operation import Operation, parameter
from broker.files.bodies import PURPOSES, Completion, FileBody, PartBody, Purpose, UploadBody
from broker.rest.files import MOST_ASKED, MOST_FORM_BYTES, MOST_LISTED

EXAMPLE_FILE = "file-019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"
EXAMPLE_UPLOAD = "upload_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"

FileId = Annotated[str, Field(pattern="^file-[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE_FILE]})]
UploadId = Annotated[str, Field(pattern="^upload_[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE_UPLOAD]})]
PartId = Annotated[str, Field(pattern="^part_[0-9a-f]{1,32}$")]
EpochSeconds = Annotated[int, Field(ge=0, json_schema_extra={"examples": [1_762_000_000]})]
Bytes = Annotated[str, Field(json_schema_extra={"format": "binary"})]


class Destination(Shown):
    """Where bytes are put by one request, without a credential."""

    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    """To be sent just so; the signature holds them, and with them the number of bytes."""
    expires_at: EpochSeconds


class File(Shown):
    """A file, as OpenAI's clients read it."""

    id: FileId
    object: Literal["file"]
    bytes: Count
    created_at: EpochSeconds
    expires_at: EpochSeconds
    filename: str
    purpose: Annotated[str, OneOf(PURPOSES)]
    status: Literal["pending", "processed"]
    """`pending` while its bytes are awaited, which is for an hour."""
    status_details: None
    upload: Destination | None = None
    """Where its bytes go, while they are awaited."""


class FileList(Shown):
    """A page of files."""

    object: Literal["list"]
    data: list[File]
    first_id: FileId | None
    last_id: FileId | None
    """For `after`, where there are more."""
    has_more: bool


class FileDeleted(Shown):
    """A file that was deleted."""

    id: FileId
    object: Literal["file"]
    deleted: Literal[True]


class Upload(Shown):
    """A file that comes in parts."""

    id: UploadId
    object: Literal["upload"]
    bytes: Count
    created_at: EpochSeconds
    expires_at: EpochSeconds
    """Until when parts may come."""
    filename: str
    purpose: Annotated[str, OneOf(PURPOSES)]
    status: Literal["pending", "completed", "cancelled"]
    part_bytes: Count
    """Of each part that is put to the bucket, but for the last."""
    file: File | None


class PartThere(Shown):
    """A part that the bucket has."""

    id: PartId
    bytes: Count


class UploadState(Upload):
    """An upload, and the parts that were put to the bucket so far."""

    parts: list[PartThere]


class UploadPart(Shown):
    """A part that was taken, or is to be put to the bucket."""

    id: PartId
    object: Literal["upload.part"]
    created_at: EpochSeconds
    upload_id: UploadId
    upload: Destination | None = None
    """Where its bytes go; none for a part that came in a form."""


class FileForm(BaseModel):
    """A file of at most 4.5 MB in a form."""

    file: Bytes
    purpose: Purpose
    expires_after_anchor: Literal["created_at"] | None = Field(default=None, alias="expires_after[anchor]")
    expires_after_seconds: int | None = Field(default=None, alias="expires_after[seconds]")
    sha256: str | None = None


class PartForm(BaseModel):
    """A part of at most 4.5 MB in a form."""

    data: Bytes


FILE_ID = parameter("path", "id", "The file.", {"type": "string"}, required=True, example=EXAMPLE_FILE)
UPLOAD_ID = parameter("path", "id", "The upload.", {"type": "string"}, required=True, example=EXAMPLE_UPLOAD)

TRIES = (
    parameter(
        "header",
        "Idempotency-Key",
        "The same key with the same body gives the same file, upload or part, for a day.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    parameter(
        "header",
        "X-Stainless-Retry-Count",
        "Which try of a call this is, from 0: an equal repeat within ten minutes gets what the first made. "
        "What is no number of up to three digits counts for nothing.",
        {"type": "string"},
    ),
)

FILES_PAGE = (
    parameter(
        "query",
        "limit",
        f"Files on a page; {MOST_LISTED:,} at most are given.",
        {"type": "integer", "minimum": 1, "maximum": MOST_ASKED, "default": MOST_ASKED},
    ),
    parameter("query", "after", "The last file of the page before.", {"type": "string"}),
    parameter("query", "order", "By age.", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
    parameter("query", "purpose", "Only files for this.", {"type": "string", "enum": [*PURPOSES]}),
)

PAGE_OF_ANTHROPIC = tuple(
    parameter("query", name, f"Of Anthropic's clients: {what}.", {"type": "string"})
    for name, what in (
        ("page", "the `next_page` of the page before"),
        ("after_id", "the last file of the page before"),
        ("before_id", "the first file of the page behind"),
    )
)

FILE_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/files"): Operation(
        f"Put a file: in a form with up to {MOST_FORM_BYTES:,} bytes, or by a request to the bucket",
        "files",
        {200: File},
        errors=(400, 409, 413, 422),
        parameters=TRIES,
        body=FileBody,
        form=FileForm,
        headers=("Idempotent-Replayed",),
        by_either_header=True,
        in_dialect=AnthropicFile,
    ),
    ("GET", "/files"): Operation(
        "List files",
        "files",
        {200: FileList},
        errors=(400,),
        parameters=(*FILES_PAGE, *PAGE_OF_ANTHROPIC),
        by_either_header=True,
        in_dialect=AnthropicFileList,
    ),
    ("GET", "/files/{id}"): Operation(
        "Get a file's record",
        "files",
        {200: File},
        errors=(400, 404),
        parameters=(FILE_ID,),
        by_either_header=True,
        in_dialect=AnthropicFile,
    ),
    ("GET", "/files/{id}/content"): Operation(
        "Get a file's bytes",
        "files",
        {200: None, 307: None},
        errors=(400, 404),
        parameters=(FILE_ID,),
        headers=("Location", "Content-Disposition", "X-Content-Type-Options"),
        content={"application/jsonl": {"schema": {"type": "string"}}},
        by_either_header=True,
    ),
    ("DELETE", "/files/{id}"): Operation(
        "Delete a file",
        "files",
        {200: FileDeleted},
        errors=(404,),
        parameters=(FILE_ID,),
        by_either_header=True,
        in_dialect=AnthropicFileDeleted,
    ),
    ("POST", "/uploads"): Operation(
        "Begin a file that comes in parts",
        "files",
        {200: Upload},
        errors=(400, 409, 413, 422),
        parameters=TRIES,
        body=UploadBody,
        headers=("Idempotent-Replayed",),
    ),
    ("GET", "/uploads/{id}"): Operation(
        "Get an upload, and which parts the bucket has",
        "files",
        {200: UploadState},
        errors=(404,),
        parameters=(UPLOAD_ID,),
    ),
    ("POST", "/uploads/{id}/parts"): Operation(
        f"Add a part: in a form with up to {MOST_FORM_BYTES:,} bytes, or by a request to the bucket",
        "files",
        {200: UploadPart},
        errors=(400, 404, 409, 413, 422),
        parameters=(UPLOAD_ID, *TRIES),
        body=PartBody,
        form=PartForm,
    ),
    ("POST", "/uploads/{id}/complete"): Operation(
        "Make the file of its parts",
        "files",
        {200: Upload},
        errors=(400, 404, 413),
        parameters=(UPLOAD_ID,),
        body=Completion,
    ),
    ("POST", "/uploads/{id}/cancel"): Operation(
        "Give an upload up", "files", {200: Upload}, errors=(400, 404), parameters=(UPLOAD_ID,)
    ),
}
"""By method and path, as `FILE_ROUTES`."""
