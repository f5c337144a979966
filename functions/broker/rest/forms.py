"""Forms with a file in them (`multipart/form-data`, RFC 7578), of a body that came as bytes."""

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from broker.errors import InvalidRequest
from broker.rest.http import Request

MOST_FIELDS = 16
MOST_FIELD_BYTES = 1_024
"""Of a field that is no file."""

EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE | re.ASCII)
"""A name that RFC 5987 encodes. RFC 7578 forbids it in forms, and older clients send it for all that is not ASCII."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, and its file."""

    fields: dict[str, str]
    filename: str
    data: bytes


def is_form(request: Request) -> bool:
    """True for a form; it is looked at no further."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "multipart/form-data"


def read_form(request: Request, file_field: str) -> Form:
    """The form of a request, with a file in the field of that name.

    Raises:
        InvalidRequest: it is none, or a field is at fault.
    """
    from multipart import MultipartError, MultipartParser, parse_options_header  # seldom needed

    _, options = parse_options_header(request.headers.get("content-type", ""))
    body = request.raw_body()
    try:
        parser = MultipartParser(
            BytesIO(body),
            options.get("boundary", ""),
            strict=True,
            part_limit=MOST_FIELDS,
            spool_limit=len(body) + 1,
            memory_limit=len(body) + 1,
        )
        parts = list(parser)
    except (MultipartError, ValueError):
        raise InvalidRequest("The body is no form (multipart/form-data).", code="invalid_form") from None
    fields: dict[str, str] = {}
    file: Any = None
    for part in parts:
        if part.name in fields or (file is not None and part.name == file_field):
            raise InvalidRequest(f"{part.name[:64]}: it stands twice.", code="invalid_field", param=part.name)
        if part.name == file_field:
            file = part
        else:
            fields[part.name] = _text(part)
    if file is None:
        raise InvalidRequest(f"{file_field}: it is needed.", code="invalid_field", param=file_field)
    return Form(fields, _filename(file), file.raw)


def _text(part: Any) -> str:
    if part.size > MOST_FIELD_BYTES:
        message = f"{part.name[:64]}: it has more than {MOST_FIELD_BYTES} bytes."
        raise InvalidRequest(message, code="invalid_field", param=part.name)
    try:
        return str(part.raw.decode())
    except UnicodeDecodeError:
        raise InvalidRequest(f"{part.name[:64]}: it is not UTF-8.", code="invalid_field", param=part.name) from None


def _filename(part: Any) -> str:
    if found := EXTENDED.search(part.disposition):
        return unquote_to_bytes(found[1]).decode(errors="replace")
    return part.filename or ""
