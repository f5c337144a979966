"""The routes of files and uploads, in the shapes that OpenAI's clients read."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import now_ms
from broker.errors import InvalidRequest, NotFound, TooLarge
from broker.files.bodies import (
    OUTPUT,
    PURPOSES,
    Completion,
    FileBody,
    PartBody,
    UploadBody,
    new_file,
    parse_form,
)
from broker.files.keeping import Files, well_formed
from broker.files.record import PENDING, PROCESSED, FileRecord, Target, new_file_id
from broker.files.uploading import PART_BYTES, Uploads, new_part_id, upload_id_of
from broker.jobs.idempotency import Once
from broker.jobs.once import once
from broker.jobs.request import parsed
from broker.rest.forms import is_form, read_form
from broker.rest.http import Reply, Request
from broker.rest.tries import asked_once

MOST_FORM_BYTES = 4_500_000
"""Of a file in a form. Lambda takes 6 MB of an event, and API Gateway hands it bytes as base64, a third longer."""

MOST_LISTED = 1_000
"""Files on a page. A page has to fit what Lambda gives back; OpenAI's clients ask for up to `MOST_ASKED`."""
MOST_ASKED = 10_000

LINK_S = 900

MOST_AT_ONCE = 1_000_000
"""Bytes of results that come in the reply itself. As JSON they may be thrice as long there; Lambda gives 6 MB back."""

AS_LINES = {
    "content-type": "application/jsonl",
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
}
"""Of results: browsers save them, and show nothing that a model wrote."""

MOST_JOINING_S = 20
"""From when the function got the call: API Gateway cuts it after 29 seconds."""

OTHERWISE = (
    'Send {"filename", "bytes", "purpose"} as JSON to be told where to put up to 5 GB, or send parts to /uploads.'
)


@dataclass(frozen=True, slots=True)
class FileDoor:
    """The use cases behind the routes."""

    files: Files

    def create_file(self, request: Request) -> Reply:
        """`POST /files`: a form with the file in it, or JSON that says which file is to come."""
        now = now_ms()
        if not is_form(request):
            asked = parsed(FileBody, request.json())
            new = new_file(request.tenant, asked, now)
            awaited = self._once(request, asked, now, lambda file_id: self.files.expect(new, now, file_id=file_id))
            return made(awaited, self._shown(awaited.made))
        form = read_form(request, "file")
        kept = self.kept(request, form.data, parse_form(form.fields, form.filename, len(form.data)), now)
        return made(kept, shown(kept.made))

    def kept(self, request: Request, data: bytes, body: FileBody, now: int) -> Once[FileRecord]:
        """Keep a file that came in a form, once, whichever try of a call this is.

        Raises:
            TooLarge: no form can bring so much.
        """
        if len(data) > MOST_FORM_BYTES:
            message = f"file: it has more than {MOST_FORM_BYTES} bytes, which no form can bring. {OTHERWISE}"
            raise TooLarge(message, code="file_too_large", param="file")
        new, digest = new_file(request.tenant, body, now), hashlib.sha256(data).hexdigest()
        return self._once(request, body, now, lambda file_id: self.files.keep(new, data, now, file_id), digest=digest)

    def list_files(self, request: Request) -> Reply:
        """`GET /files`: the newest first, unless `order` says otherwise."""
        order, purpose = request.query.get("order", "desc"), request.query.get("purpose") or None
        after, limit = request.query.get("after") or None, request.number("limit", MOST_ASKED)
        if order not in ("asc", "desc"):
            raise InvalidRequest("order is asc or desc.", param="order")
        if purpose not in (None, *PURPOSES):
            raise InvalidRequest(f"purpose is one of {', '.join(PURPOSES)}.", param="purpose")
        if not 1 <= limit <= MOST_ASKED:
            raise InvalidRequest(f"limit is from 1 to {MOST_ASKED}.", param="limit")
        if after is not None and not well_formed(after):
            raise InvalidRequest("after is the id of a file.", param="after")
        found, more = self.files.list(
            request.tenant,
            now_ms(),
            limit=min(limit, MOST_LISTED),
            after=after,
            oldest_first=order == "asc",
            purpose=purpose,
        )
        ids = {"first_id": found[0].id if found else None, "last_id": found[-1].id if found else None}
        return Reply(200, {"object": "list", "data": [shown(each) for each in found], **ids, "has_more": more})

    def get_file(self, request: Request) -> Reply:
        """`GET /files/{id}`; of one that is awaited also where its bytes go."""
        now = now_ms()
        record = self.files.settled(self.files.find(request.tenant, request.path["id"], now), now)
        return Reply(200, self._shown(record))

    def get_content(self, request: Request) -> Reply:
        """`GET /files/{id}/content`: leads to the bucket, where a client must not send its own credential.

        Small files of results come at once: clients that are made for them follow no redirect (autobatcher).
        """
        now = now_ms()
        record = self.files.open(request.tenant, request.path["id"], now, "id")
        if record.purpose == OUTPUT and record.bytes <= MOST_AT_ONCE:
            lines = self.files.bucket.read(record.key)
            if lines is not None:
                return Reply(200, lines.decode(), AS_LINES)
        seconds = min(LINK_S, record.until - now // 1000)
        return Reply(307, None, {"location": self.files.bucket.link(record.key, record.filename, seconds)})

    def delete_file(self, request: Request) -> Reply:
        """`DELETE /files/{id}`."""
        record = self.files.delete(request.tenant, request.path["id"], now_ms())
        return Reply(200, {"id": record.id, "object": "file", "deleted": True})

    def create_upload(self, request: Request) -> Reply:
        """`POST /uploads`."""
        now = now_ms()
        body = parsed(UploadBody, request.json())
        new = new_file(request.tenant, body, now)
        begun = self._once(request, body, now, lambda file_id: self._uploads.begin(new, now, file_id))
        return made(begun, self._upload(begun.made))

    def get_upload(self, request: Request) -> Reply:
        """`GET /uploads/{id}`: how it stands, and which parts the bucket has."""
        record = self._uploads.find(request.tenant, request.path["id"], now_ms())
        parts = [{"id": f"part_{each.number}", "bytes": each.bytes} for each in self._uploads.parts(record)]
        return Reply(200, self._upload(record) | {"parts": parts})

    def add_part(self, request: Request) -> Reply:
        """`POST /uploads/{id}/parts`: a form with the part in it, or JSON that says which part is to come."""
        now, upload_id = now_ms(), request.path["id"]
        if is_form(request):
            form = read_form(request, "data")
            for name in form.fields:
                raise InvalidRequest(f"{name[:64]}: there is no such field.", code="invalid_field", param=name)
            if not 1 <= len(form.data) <= MOST_FORM_BYTES:
                message = f"data: a part in a form has 1 to {MOST_FORM_BYTES} bytes; send smaller ones."
                raise TooLarge(message, code="part_too_large", param="data")
            part_id, where = self._added(request, form.data, now), None
        else:
            body = parsed(PartBody, request.json())
            target = self._uploads.target(request.tenant, upload_id, body.number, now)
            part_id, where = f"part_{body.number}", _where(target, now)
        part = {"id": part_id, "object": "upload.part", "created_at": now // 1000, "upload_id": upload_id}
        return Reply(200, part | ({"upload": where} if where else {}))

    def complete_upload(self, request: Request) -> Reply:
        """`POST /uploads/{id}/complete`."""
        body = parsed(Completion, request.json())

        def time_left() -> bool:
            return time.monotonic() < request.began + MOST_JOINING_S

        record = self._uploads.complete(
            request.tenant, request.path["id"], body.part_ids, body.md5, now_ms(), time_left
        )
        return Reply(200, self._upload(record))

    def cancel_upload(self, request: Request) -> Reply:
        """`POST /uploads/{id}/cancel`."""
        record = self._uploads.cancel(request.tenant, request.path["id"], now_ms())
        return Reply(200, self._upload(record) | {"status": "cancelled"})

    def _once(
        self,
        request: Request,
        body: FileBody | UploadBody,
        now: int,
        make: Callable[[str], FileRecord],
        *,
        digest: str | None = None,
    ) -> Once[FileRecord]:
        """Make a file once, whichever try of a call this is; with the `digest` of its bytes, where they came along.

        Nothing but a key or a count of tries tells a repeat: files that are to come may be alike before they are there.
        """
        document = {"path": request.resource, "body": body.model_dump(exclude_unset=True), "digest": digest}
        same = None if digest is None else json.dumps(document, sort_keys=True).encode()

        def find(file_id: str) -> FileRecord | None:
            try:
                record = self.files.find(request.tenant, file_id, now)
            except NotFound:
                return None
            return None if digest and record.status == PENDING else record  # its bytes are here once more

        told = asked_once(request, lambda: 0, same)
        return once(self.files.database, request.tenant, document, new_file_id(now), now, find, make, **told)

    def _added(self, request: Request, data: bytes, now: int) -> str:
        """Take a part once, whichever try of a call this is; gives its id."""
        tenant, upload_id, uploads = request.tenant, request.path["id"], self._uploads
        document = {"upload": upload_id, "digest": hashlib.sha256(data).hexdigest()}

        def find(part_id: str) -> str | None:
            return part_id if uploads.has(tenant, upload_id, part_id, now) else None

        def add(part_id: str) -> str:
            return uploads.add(tenant, upload_id, data, now, part_id)

        told = asked_once(request, lambda: 0, json.dumps(document).encode())
        return once(self.files.database, tenant, document, new_part_id(now), now, find, add, **told).made

    @property
    def _uploads(self) -> Uploads:
        return Uploads(self.files)

    def _shown(self, record: FileRecord) -> dict[str, Any]:
        """The file, and where its bytes go as long as they are awaited."""
        if record.status != PENDING or record.in_parts:
            return shown(record)
        now = now_ms()
        seconds = max(1, min(LINK_S, (record.awaited_until - now) // 1000))  # what comes later nobody would delete
        target = self.files.bucket.target(record.key, record.bytes, record.sha256, seconds)
        return shown(record) | {"upload": _where(target, now)}

    def _upload(self, record: FileRecord) -> dict[str, Any]:
        is_complete = record.status == PROCESSED
        return {
            "id": upload_id_of(record),
            "object": "upload",
            "bytes": record.bytes,
            "created_at": record.created_at // 1000,
            "expires_at": record.awaited_until // 1000,
            "filename": record.filename,
            "purpose": record.purpose,
            "status": "completed" if is_complete else "pending",
            "part_bytes": PART_BYTES,
            "file": shown(record) if is_complete else None,
        }


def made(once: Once[FileRecord], body: dict[str, Any]) -> Reply:
    """The reply to who had something made."""
    return Reply(200, body, {"idempotent-replayed": "true"} if once.repeated else {})


def shown(record: FileRecord) -> dict[str, Any]:
    """A file in its public form; times are epoch seconds here, as OpenAI has them."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": record.created_at // 1000,
        "expires_at": record.until,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": record.status,
        "status_details": None,
    }


def _where(target: Target, now: int) -> dict[str, Any]:
    return {
        "method": "PUT",
        "url": target.url,
        "headers": target.headers,
        "expires_at": now // 1000 + target.seconds,
    }
