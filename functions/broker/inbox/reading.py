"""Documents that are no plain text: another function reads them, and what it read is taken as the document.

    take_file ──► queue of documents ──► read_document ──► what was read (a bucket), and the event again ──► take_file

Who reads files of strangers has no right to anything but that: it knows no tenant, no table and no model.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from broker.documents.document import Document, UnknownDocument
from broker.errors import InvalidRequest, NotFound
from broker.inbox.files import BEGINNINGS, MAX_DOCUMENT_BYTES, READ_NAMES, TAKEN, File

READ = "read"
"""In an event that comes again: its document was read."""


class Readings(Protocol):
    """What was read, until it is taken, and the queue of what is to be."""

    def ask(self, event: dict[str, Any], tenant: str) -> None:
        """Have a document read; its event then comes again. May be repeated."""
        ...

    def load(self, batch_id: str) -> dict[str, Any] | None:
        """What was read of the file of a batch, as `facts_of` gives it; None where it is not there."""
        ...

    def keep(self, batch_id: str, facts: dict[str, Any]) -> None:
        """Keep it; again overwrites."""
        ...

    def forget(self, batch_id: str) -> None:
        """Delete it; may be repeated."""
        ...


class Fetches(Protocol):
    """The inbox, for files that fit no memory."""

    def fetch(self, bucket: str, key: str, etag: str, version: str | None, path: Path) -> None:
        """Write one version of one object to a file.

        Raises:
            NotFound: it was deleted, or overwritten where no versions are kept.
        """
        ...


def has_to_be_read(key: str, data: bytes) -> bool:
    """True for a document that is no text as it stands: by how it begins, by its name, or by its encoding."""
    if data.startswith(BEGINNINGS) or PurePosixPath(key).suffix.lower() in READ_NAMES:
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def facts_of(document: Document) -> dict[str, Any]:
    """`{"text", "error"}`: the text with the numbers of its pages, or why there is none."""
    if document.error:
        return {"text": "", "error": document.error.facts()}
    return {"text": text_of(document), "error": None}


def text_of(document: Document) -> str:
    """All of a document: of several pages each after its number, `[p. 2]`, and files inside it after their names."""
    several = len(document.pages) > 1
    parts = [f"[p. {page.number}]\n{page.text}" if several else page.text for page in document.pages]
    for child in document.children:
        said = f"(It could not be read: {child.error.code}.)" if child.error else text_of(child)
        parts.append(f"# {child.name}\n\n{said}")
    return "\n\n".join(part for part in parts if part.strip())


def taken(facts: dict[str, Any]) -> bytes:
    """The text that was read, as the document that it stands for.

    Raises:
        InvalidRequest: there is none, with the reason; or it is too long for a prompt.
    """
    if error := facts["error"]:
        known = f" {TAKEN}" if error["code"] == UnknownDocument.code else ""
        raise InvalidRequest(f"{error['message']}{known}", code=error["code"])
    data = str(facts["text"]).encode()
    if len(data) > MAX_DOCUMENT_BYTES:
        raise InvalidRequest(f"The document's text has more than {MAX_DOCUMENT_BYTES} bytes.", code="document_too_long")
    return data


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """Reads one document of the inbox. May be repeated."""

    inbox: Fetches
    readings: Readings
    read: Callable[[Path, str], Document]
    """Gives what a file says, whatever it is, in bounded time."""
    again: Callable[[dict[str, Any], str, int], None]
    """Has an event come again (`Later.again`)."""

    def __call__(self, event: dict[str, Any]) -> Document:
        """Read the file that S3's event tells of, keep what it says, and have the event come again."""
        file = File.of(event)
        from broker.documents.sandbox import PREFIX  # of it, who takes files needs nothing

        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            path = Path(folder) / "document"
            try:
                self.inbox.fetch(file.bucket, file.key, file.etag, file.version, path)
            except NotFound as error:
                document = None
                facts: dict[str, Any] = {"text": "", "error": {"code": error.code, "message": error.message}}
            else:
                document = self.read(path, PurePosixPath(file.key).name)
                facts = facts_of(document)
        self.readings.keep(file.batch_id, facts)
        self.again({**event, READ: True}, file.tenant, 0)
        return document or Document(file.key)
