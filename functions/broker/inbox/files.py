"""A file of the inbox: from S3's event to the requests in it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from broker import json_text
from broker.batches.rows.planning import MOST_BYTES
from broker.errors import InvalidRequest, TooLarge
from broker.inbox.file_work import Kind, kind_of
from broker.json_text import MAX_BODY_BYTES

MAX_DOCUMENT_BYTES = 5_000_000
"""Of a document's text. It becomes one prompt, and no model's window holds more than a few million characters."""

MAX_FILE_BYTES = 50_000_000
"""Of a document as it comes, with its pictures and its form."""

MAX_REQUEST_BYTES = MAX_BODY_BYTES
"""Of a `.json` file: what `POST /v1/jobs` takes, for it is the same body."""

MAX_KEY_BYTES = 1_000
"""S3 takes 1,024, and the result's key is longer by a suffix."""

DOCUMENT_DEADLINE_S = 86_400
"""A document goes through the bulk lane, behind work that someone waits for; many at once may take long."""

BEGINNINGS = (
    *(b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"RIFF"),
)
"""How documents begin that are no text as they stand: PDF, archives and today's Office, old Office and Outlook, RTF,
pictures."""

READ_NAMES = (".eml", ".msg")
"""Of documents that are texts, but not as people read them."""

TAKEN = (
    "The inbox takes requests as .json and .jsonl, and as documents texts, PDF, DOCX, PPTX, XLSX, HTML, RTF, EML, MSG, "
    "EPUB, ODT, PNG, JPEG, TIFF, WEBP and ZIP."
)

DOCUMENT = "document"
"""In an event of a file: by whom and for which recipe it was asked for, `{"id", "recipe", "principal"}`."""

MEDIA = "media/"
"""Below the tenant's own prefix: pictures, documents and sounds that requests point to."""

LIMITS: dict[Kind, int] = {
    "lines": MOST_BYTES,
    "request": MAX_REQUEST_BYTES,
    "document": MAX_FILE_BYTES,
}


@dataclass(frozen=True, slots=True)
class File:
    """One version of one object, as S3's "Object Created" names it."""

    bucket: str
    key: str
    size: int
    etag: str
    version: str | None
    """None where the bucket keeps no versions; the `etag` then stands for the content."""
    asked: str | None = None
    """The id of the event that asks for work on it; None where the file itself is the asking."""

    @classmethod
    def of(cls, event: dict[str, Any]) -> "File":
        """Read S3's event (Amazon S3 user guide, "EventBridge event message structure"); its key is not encoded."""
        detail = event["detail"]
        found = detail["object"]
        asked = event.get(DOCUMENT, {}).get("id")
        return cls(detail["bucket"]["name"], found["key"], found["size"], found["etag"], found.get("version-id"), asked)

    @property
    def tenant(self) -> str:
        """The first segment of the key; empty where there is none."""
        return self.key.partition("/")[0] if "/" in self.key else ""

    @property
    def place(self) -> dict[str, Any]:
        """Where it is, as rows of batches are read (`batches.ports.RowBytes`)."""
        return {"bucket": self.bucket, "key": self.key, "etag": self.etag, "version": self.version}

    @property
    def folder(self) -> str | None:
        """The second segment of the key, which names a recipe; None of a file right below the tenant's."""
        segments = self.key.split("/")
        return segments[1] if len(segments) > 2 else None

    @property
    def is_folder(self) -> bool:
        """True for the empty objects by which consoles show folders."""
        return self.key.endswith("/")

    @property
    def is_media(self) -> bool:
        """True for what lies below `{tenant}/media/`: requests point to it, and it is no work by itself."""
        return self.key.partition("/")[2].startswith(MEDIA)

    @property
    def batch_id(self) -> str:
        """The same for the same version, however often it is told of; an event that asks for it has its own."""
        asked = [self.asked] if self.asked else []
        facts = json.dumps([self.bucket, self.key, self.version or self.etag, *asked])
        return f"batch_{hashlib.sha256(facts.encode()).hexdigest()[:32]}"

    def check(self) -> None:
        """Look at what is known before the file is read.

        Raises:
            InvalidRequest: the key is too long, or the file is empty or too large.
        """
        if len(self.key.encode()) > MAX_KEY_BYTES:
            raise InvalidRequest(f"The key has more than {MAX_KEY_BYTES} bytes.", code="key_too_long")
        limit = LIMITS[kind_of(self.key)]
        if self.size > limit:
            raise InvalidRequest(f"The file has more than {limit} bytes.", code="file_too_large")


def request_in(key: str, data: bytes, prompt: str) -> Any:
    """The request in a file.

    Args:
        key: its name says what it holds.
        data: the whole file.
        prompt: the template that a document is put into.

    Raises:
        InvalidRequest: it is empty, or holds none.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, which some editors write
    if not data.strip():
        raise InvalidRequest("The file is empty.", code="empty_file")
    return _body(data) if kind_of(key) == "request" else _document(data, prompt)


def _body(data: bytes) -> Any:
    if len(data) > MAX_REQUEST_BYTES:
        raise TooLarge(f"The body has more than {MAX_REQUEST_BYTES} bytes.", code="body_too_large")
    return json_text.read(_text(data))


def _document(data: bytes, prompt: str) -> Any:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise InvalidRequest(f"The text has more than {MAX_DOCUMENT_BYTES} bytes.", code="file_too_large")
    return {
        "prompt": {"id": prompt, "variables": {"document": _text(data)}},
        "priority": "bulk",
        "deadline_seconds": DOCUMENT_DEADLINE_S,
    }


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The text is not UTF-8.", code="invalid_encoding") from None
