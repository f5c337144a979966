"""What calls say of files and uploads: the bodies of their routes, as JSON or as a form's fields."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from broker.errors import InvalidRequest
from broker.files.keeping import NewFile
from broker.files.uploading import MOST_PARTS, MOST_UPLOADED
from broker.jobs.field_errors import Spelled
from broker.jobs.fields import Strict
from broker.jobs.request import parsed

LEAST_KEPT_S, MOST_KEPT_S = 3_600, 31_536_000
"""An hour to a year."""

KEPT_S = 30 * 86_400
"""Of a file that does not say it."""

MOST_PUT = 5_000_000_000
"""Bytes of one request to the bucket (Amazon S3 API, PutObject)."""

Purpose = Literal["assistants", "batch", "user_data", "vision"]
OUTPUT: Literal["batch_output"] = "batch_output"
"""The purpose of what the broker writes; nobody else gives it."""

PURPOSES = (*get_args(Purpose), OUTPUT)

Filename = Annotated[
    str,
    Field(min_length=1, max_length=255),
    Spelled(r"^[^\x00-\x1f\x7f]+$", "it has to be a name of 1 to 255 characters, without control characters"),
]


class ExpiresAfter(Strict):
    """When a file is over."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(ge=LEAST_KEPT_S, le=MOST_KEPT_S)
    """After it was created."""


class FileBody(Strict):
    """A file whose bytes are put to the bucket; the reply says where."""

    filename: Filename
    bytes: int = Field(ge=1, le=MOST_PUT)
    """How many it has, exactly."""
    purpose: Purpose
    """What it is for: `batch` for the rows of a batch."""
    expires_after: ExpiresAfter | None = None
    """Thirty days after it was created, unless said."""
    sha256: Annotated[str, Spelled("^[0-9a-f]{64}$", "it has to be a SHA-256 in hexadecimal")] | None = None
    """Of its bytes: others are not taken."""


class UploadBody(Strict):
    """A file that comes in parts."""

    filename: Filename
    bytes: int = Field(ge=1, le=MOST_UPLOADED)
    """How many it has, exactly."""
    purpose: Purpose
    expires_after: ExpiresAfter | None = None
    """Thirty days after it was created, unless said."""
    mime_type: Annotated[str, Field(max_length=255)] | None = None
    """Taken from clients that have to send it; a file is what its reader finds it to be."""


class PartBody(Strict):
    """A part that is put to the bucket; the reply says where."""

    number: int = Field(ge=1, le=MOST_PARTS)
    """Its place in the file, from 1. It has the upload's `part_bytes`, but for the last, which has the rest. The same
    number again takes the place of what was there."""


class Completion(Strict):
    """Which parts make the file."""

    part_ids: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=MOST_PARTS)
    """In their order."""
    md5: Annotated[str, Spelled("^[0-9a-fA-F]{32}$", "it has to be an MD5 in hexadecimal")] | None = None
    """Of the whole file, where its parts came through the API."""


def new_file(tenant: str, body: FileBody | UploadBody, now: int) -> NewFile:
    """What a body tells of a file."""
    kept = body.expires_after.seconds if body.expires_after else KEPT_S
    sha256 = body.sha256 if isinstance(body, FileBody) else None
    return NewFile(tenant, body.filename, body.purpose, body.bytes, now // 1000 + kept, sha256)


def parse_form(fields: dict[str, str], filename: str, size: int) -> FileBody:
    """What a form tells of the file in it; a field is named as the form has it.

    Raises:
        InvalidRequest: names the first field at fault.
    """
    body: dict[str, Any] = {"filename": filename, "bytes": size}
    for name, value in fields.items():
        if name in ("expires_after[anchor]", "expires_after[seconds]"):
            inner = name[len("expires_after[") : -1]
            whole = value.isascii() and value.isdigit() and len(value) < 10
            body.setdefault("expires_after", {})[inner] = int(value) if inner == "seconds" and whole else value
        elif name in body:
            raise InvalidRequest(f"{name}: the file itself says it.", code="invalid_field", param=name)
        else:
            body[name] = value
    try:
        return parsed(FileBody, body)
    except InvalidRequest as error:
        error.param = FORM_NAMES.get(error.param or "", error.param)
        raise


FORM_NAMES = {
    "filename": "file",
    "bytes": "file",
    "expires_after.anchor": "expires_after[anchor]",
    "expires_after.seconds": "expires_after[seconds]",
}
"""What fields of the body are called in a form."""
