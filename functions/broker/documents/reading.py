"""A document as recipes work on it: its pages numbered through, with those of the files inside of it.

Answers cite pages by `[p. 12]`. So a number has to be one page's alone: the pages of a document keep the numbers that
readers know, and those of files inside of it count on from there; `Reading.places` tells which is which.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from broker.documents.document import Document, DocumentError, Page


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page. Where a picture of text belongs, its text has the mark of that picture (`scan_mark`)."""

    number: int
    """In the whole."""
    text: str
    file: int = 0
    """Of `Reading.files`."""
    page: int = 0
    """The number in its own file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a document."""

    kind: str
    files: tuple[str, ...]
    """The document's name, and those of the files inside that were read."""
    pages: tuple[ReadPage, ...]
    unread: tuple[Mapping[str, str], ...] = ()
    """Files inside that could not be read: `{"name", "code"}`."""
    scans: int = 0
    """Pictures of text that are still to be read, numbered from 0."""
    nonce: str = ""
    """In the marks of these, so that no document can hold one of its own."""
    gathered: tuple[tuple[int, int], ...] = ()
    """Of these pictures, those that are pages of a PDF: the number of its first, and how many it has."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Read what `facts` gave."""
        pages = tuple(ReadPage(*each) for each in facts["pages"])
        known = {name: facts[name] for name in ("kind", "scans", "nonce")}
        known["gathered"] = tuple((first, count) for first, count in facts.get("gathered", ()))
        return cls(pages=pages, files=tuple(facts["files"]), unread=tuple(facts["unread"]), **known)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"pages": [[each.number, each.text, each.file, each.page] for each in self.pages]}

    @property
    def numbers(self) -> frozenset[int]:
        """Of its pages."""
        return frozenset(page.number for page in self.pages)

    def places(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """Where pages are: `{"page", "file", "file_page"}`, the last two only where there are several files."""
        pages = {page.number: page for page in self.pages}
        if len(self.files) == 1:
            return [{"page": number} for number in numbers]
        return [
            {"page": number, "file": self.files[pages[number].file], "file_page": pages[number].page}
            for number in numbers
        ]

    def pages_of_scans(self) -> list[int]:
        """The page of each picture, by the picture's number; 0 for one that is on none."""
        found = [0] * self.scans
        for page in self.pages:
            for scan in self._marks(page.text):
                found[scan] = page.number
        return found

    def portions(self) -> list[tuple[range, int | None]]:
        """Its pictures as they are read, in order: one by itself, or the pages of a gathered PDF with its number."""
        gathered = {first: (count, number) for number, (first, count) in enumerate(self.gathered)}
        found: list[tuple[range, int | None]] = []
        scan = 0
        while scan < self.scans:
            count, number = gathered.get(scan, (1, None))
            found.append((range(scan, scan + count), number))
            scan += count
        return found

    def with_scans(self, texts: Sequence[str]) -> Self:
        """With the text of each picture in its place."""

        def text_of(found: re.Match[str]) -> str:
            return texts[int(found[1])] if int(found[1]) < len(texts) else ""

        pattern = self._pattern()
        pages = tuple(replace(page, text=pattern.sub(text_of, page.text).strip("\n")) for page in self.pages)
        return replace(self, pages=pages, scans=0, gathered=())

    def to_split(self) -> list[Page]:
        """Its pages, as `splitting` takes them."""
        return [Page(page.number, page.text) for page in self.pages]

    def _marks(self, text: str) -> Iterator[int]:
        return (scan for found in self._pattern().finditer(text) if (scan := int(found[1])) < self.scans)

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(f"<scan {self.nonce} ") + r"(\d{1,6})>")


def scan_mark(nonce: str, number: int) -> str:
    """What stands in a page's text in the place of a picture's."""
    return f"<scan {nonce} {number}>"


def numbered(document: Document, nonce: str = "", scans: int = 0, gathered: Iterable[tuple[int, int]] = ()) -> Reading:
    """A document with its pages numbered through.

    Args:
        document: as it was read.
        nonce: of the marks of its pictures.
        scans: how many there are.
        gathered: of these, as `Reading.gathered`.

    Raises:
        DocumentError: why nothing was read of it.
    """
    if document.error:
        raise document.error
    files: list[str] = []
    pages: list[ReadPage] = []
    unread: list[dict[str, str]] = []
    _take(document, files, pages, unread)
    return Reading(document.kind or "", tuple(files), tuple(pages), tuple(unread), scans, nonce, tuple(gathered))


def of_text(name: str, text: str, kind: str = "text") -> Reading:
    """A text that nobody had to read; its page breaks part its pages."""
    texts = text.split("\f")
    pages = tuple(ReadPage(number, each, 0, number) for number, each in enumerate(texts, 1))
    return Reading(kind, (name,), pages)


def _take(document: Document, files: list[str], pages: list[ReadPage], unread: list[dict[str, str]]) -> None:
    file, before = len(files), max((page.number for page in pages), default=0)
    files.append(document.name)
    pages += [ReadPage(before + page.number, page.text, file, page.number) for page in document.pages]
    for child in document.children:
        if isinstance(child.error, DocumentError):
            unread.append({"name": child.name, "code": child.error.code})
        else:
            _take(child, files, pages, unread)
