"""The routes of files for who sends `anthropic-version`: the use cases of `rest.files`, in Anthropic's form."""

from typing import TYPE_CHECKING

from broker.clock import iso, now_ms
from broker.doors.anthropic_files import Load, asked_page, file_of, page_of, upload_of
from broker.errors import InvalidRequest, TooLarge
from broker.files.bodies import FileBody
from broker.files.keeping import Files, well_formed
from broker.files.record import PROCESSED, FileRecord
from broker.jobs.request import parsed
from broker.rest.files import MOST_FORM_BYTES, FileDoor, made
from broker.rest.forms import read_form
from broker.rest.http import Reply, Request

if TYPE_CHECKING:
    from typing import Any

NAMES = {"filename": "file", "bytes": "file", "expires_after.seconds": "expires_in_seconds"}
"""What fields of the body are called in a form."""


def create_file(door: FileDoor, request: Request) -> Reply:
    """`POST /files`: a form with the file in it."""
    form = read_form(request, "file")
    try:
        body = parsed(FileBody, upload_of(dict(form.fields), form.filename, len(form.data)))
    except InvalidRequest as error:
        error.param = NAMES.get(error.param or "", error.param)
        raise
    kept = door.kept(request, form.data, body, now_ms())
    return made(kept, shown(kept.made))


def list_files(door: FileDoor, request: Request) -> Reply:
    """`GET /files`: the newest first."""
    limit, near, newer = asked_page(request.query)
    if near is not None and not well_formed(near):
        raise InvalidRequest("There is no such entry.", param="before_id" if newer else "after_id")
    found, more = door.files.list(request.tenant, now_ms(), limit=limit, after=near, oldest_first=newer, purpose=None)
    files = [shown(each) for each in (reversed(found) if newer else found)]
    return Reply(200, page_of(files, more, newer=newer))


def get_file(door: FileDoor, request: Request) -> Reply:
    """`GET /files/{id}`."""
    now = now_ms()
    return Reply(200, shown(door.files.settled(door.files.find(request.tenant, request.path["id"], now), now)))


def get_content(door: FileDoor, request: Request) -> Reply:
    """`GET /files/{id}/content`: the same in either form."""
    return door.get_content(request)


def delete_file(door: FileDoor, request: Request) -> Reply:
    """`DELETE /files/{id}`."""
    record = door.files.delete(request.tenant, request.path["id"], now_ms())
    return Reply(200, {"id": record.id, "type": "file_deleted"})


def shown(record: FileRecord) -> "dict[str, Any]":
    """A file in Anthropic's form."""
    times = {"created_at": iso(record.created_at), "until": iso(record.until * 1000)}
    known = {"id": record.id, "filename": record.filename, "bytes": record.bytes, **times}
    return file_of(known | {"is_there": record.status == PROCESSED})


def loading(files: Files, request: Request) -> Load:
    """Gives the files that a message names: the tenant's, and as many bytes together as a form may bring."""
    left = MOST_FORM_BYTES

    def load(file_id: str, place: str) -> tuple[str, bytes]:
        nonlocal left
        request.need("files:read")
        record = files.open(request.tenant, file_id, now_ms(), place)
        left -= record.bytes
        if left < 0:
            message = f"{place}: the files of a message have {MOST_FORM_BYTES:,} bytes together at most."
            raise TooLarge(message, code="file_too_large", param=place)
        data = files.bucket.read(record.key)
        if data is None:
            raise InvalidRequest(f"{place}: the file is being deleted.", code="no_such_file", param=place)
        return record.filename, data

    return load
