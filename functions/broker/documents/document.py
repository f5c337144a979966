"""What is made of a file: pages of text, pictures of text, and the files inside it.

DocumentError            the file gives nothing; `code` says why
├── BrokenDocument       it is not what it seems, or is damaged
├── EncryptedDocument    it can be read only with a password
├── EmptyDocument        there is nothing in it
├── UnknownDocument      its kind is not one of those that are read
├── DangerousDocument    it is made to do harm: names that lead out of its folder, loops of itself
└── TooMuch              it is above a limit; `code` names which
"""

from dataclasses import dataclass
from pathlib import Path


class DocumentError(Exception):
    """Root of the tree. The message is ours: it quotes nothing of the file."""

    code: str = "document_failed"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """Keep the message, and the code where the class's own is too wide."""
        super().__init__(message)
        self.message = message
        if code:
            self.code = code

    def facts(self) -> dict[str, str]:
        """`{"code", "message"}`."""
        return {"code": self.code, "message": self.message}


class BrokenDocument(DocumentError):
    """It cannot be read as what it is."""

    code = "broken_document"


class EncryptedDocument(DocumentError):
    """It needs a password, and none is taken."""

    code = "encrypted_document"


class EmptyDocument(DocumentError):
    """No text, no picture of text, no file inside."""

    code = "empty_document"


class UnknownDocument(DocumentError):
    """No kind that is read."""

    code = "unsupported_document"


class DangerousDocument(DocumentError):
    """A name in it leads out of its folder."""

    code = "unsafe_path"


class TooMuch(DocumentError):
    """A limit of `limits.Limits` was met."""

    code = "document_too_large"


@dataclass(frozen=True, slots=True)
class Page:
    """One page, slide, sheet or chapter; `number` from 1, as readers count."""

    number: int
    text: str
    """Headings begin with `#`, tables are Markdown, paragraphs stand apart by an empty line."""
    scans: tuple[Path, ...] = ()
    """Pictures of the page, or on it, where its text has to be read from them."""
    ocr: bool = False
    """True where the text was read from the picture."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A file inside of a file, on its way to a process of its own; or why it is not."""

    name: str
    path: Path | None = None
    error: DocumentError | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """What an extractor gives: pages in reading order, and the files inside."""

    pages: tuple[Page, ...] = ()
    inner: tuple[Inner, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read to its end, or the error that ended it; with the files inside of it likewise."""

    name: str
    kind: str | None = None
    pages: tuple[Page, ...] = ()
    children: tuple["Document", ...] = ()
    error: DocumentError | None = None
    seconds: float = 0.0
    peak_mb: float = 0.0
    """Of the process that read it, MiB; 0 where it ended before it could say."""

    @property
    def outcome(self) -> str:
        """`error`, `ocr` (some page was read from a picture), `text`, or `children` (only files inside)."""
        if self.error:
            return "error"
        if any(page.ocr for page in self.pages):
            return "ocr"
        return "text" if self.pages else "children"

    @property
    def text(self) -> str:
        """All pages, an empty line between them."""
        return "\n\n".join(page.text for page in self.pages if page.text)
