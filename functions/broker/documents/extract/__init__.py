"""The kinds of files that are read, one module each: `extract(source: Source) -> Extract`.

A new kind is a file here, a row in `KINDS`, and a row in `kinds`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from broker.documents.document import DocumentError, Extract, Inner, TooMuch, UnknownDocument
from broker.documents.limits import Limits

KINDS = {
    "pdf": "pdf",
    "docx": "docx",
    "pptx": "pptx",
    "xlsx": "xlsx",
    "html": "html",
    "markdown": "text",
    "text": "text",
    "csv": "table",
    "rtf": "rtf",
    "mail": "mail",
    "msg": "outlook",
    "epub": "epub",
    "odt": "odt",
    "image": "image",
    "zip": "zipped",
}
"""Which module reads a kind (`kinds.kind_of`)."""


@dataclass(slots=True)
class Source:
    """A file on its way to its text, with a folder of its own for what is found in it."""

    path: Path
    name: str
    limits: Limits
    folder: Path
    """For pictures of pages, and for files inside; it is empty at first."""
    _characters: int = field(default=0)
    _files: int = field(default=0)
    _scans: int = field(default=0)

    @property
    def data(self) -> bytes:
        """The whole file."""
        return self.path.read_bytes()

    def open(self) -> BinaryIO:
        """The file, to be closed by the caller."""
        return self.path.open("rb")

    def count(self, pages: int) -> None:
        """Hold a number of pages against the limit.

        Raises:
            TooMuch: there are more.
        """
        if pages > self.limits.pages:
            raise TooMuch(f"The document has more than {self.limits.pages} pages.", code="too_many_pages")

    def said(self, text: str) -> str:
        """Count a page's text, and give it back.

        Raises:
            TooMuch: with it, the document has too many characters.
        """
        self._characters += len(text)
        if self._characters > self.limits.characters:
            raise TooMuch(f"The text has more than {self.limits.characters} characters.", code="too_much_text")
        return text

    def inner(self, name: str, data: bytes | DocumentError) -> Inner:
        """Put a file inside aside for a process of its own; an error is kept in its place.

        The name is told as it is, and never used as a path.

        Raises:
            TooMuch: there are too many.
        """
        self._files += 1
        if self._files > self.limits.files:
            raise TooMuch(f"There are more than {self.limits.files} files inside.", code="too_many_files")
        if isinstance(data, DocumentError):
            return Inner(name, error=data)
        path = self.folder / f"inner-{self._files:05d}-{hashlib.sha256(data).hexdigest()[:8]}"
        path.write_bytes(data)
        return Inner(name, path)

    def picture_path(self, number: int) -> Path:
        """Where a picture of a page goes.

        Raises:
            TooMuch: too many pages have to be read from pictures.
        """
        self._scans += 1
        if self._scans > self.limits.scans:
            raise TooMuch(f"More than {self.limits.scans} pages are pictures.", code="too_many_scans")
        return self.folder / f"page-{number:05d}-{self._scans:03d}.png"


def extractor(kind: str) -> Callable[[Source], Extract]:
    """What reads a kind; its libraries are imported by this, and not before.

    Raises:
        UnknownDocument: nothing does.
    """
    module = KINDS.get(kind)
    if module is None:
        raise UnknownDocument("The file is of no kind that is read.")
    found: Callable[[Source], Extract] = import_module(f"{__name__}.{module}").extract
    return found
