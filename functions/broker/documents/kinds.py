"""What kind of file it is: by what it holds first, by its name where that does not tell.

A name is the sender's word, so it decides only between kinds of text, which may look alike.
"""

import re
from io import BytesIO
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZipFile

from broker.documents import decoding
from broker.documents.document import BrokenDocument, EmptyDocument, EncryptedDocument, UnknownDocument

HEAD_BYTES = 65_536
"""Of a file that is looked at to tell its kind."""

BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"II+\x00", "image"),
    (b"MM\x00+", "image"),
)
"""How files of a kind begin."""

OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"GIF8", "GIF"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"ID3", "sound"),
    (b"OggS", "sound"),
    (b"fLaC", "sound"),
)
"""How files begin that are often sent and not read."""

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

NAMES = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
    ".eml": "mail",
    ".mht": "mail",
    ".mhtml": "mail",
    ".rtf": "text",
}
"""What a text is by its name; every other text is plain."""

PARTS: tuple[tuple[str, str], ...] = (
    ("word/document.xml", "docx"),
    ("ppt/presentation.xml", "pptx"),
    ("xl/workbook.xml", "xlsx"),
)
"""The main part of Office's packages, where it is nearly always; `[Content_Types].xml` tells of the others."""

MIMETYPES = {
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.text-template": "odt",
}

CONTENT_TYPES: tuple[tuple[bytes, str], ...] = (
    (b"wordprocessingml", "docx"),
    (b"ms-word", "docx"),
    (b"presentationml", "pptx"),
    (b"ms-powerpoint", "pptx"),
    (b"spreadsheetml", "xlsx"),
    (b"ms-excel.sheet.macro", "xlsx"),
)

BINARY_WORKBOOK = b"ms-excel.sheet.binary"

STREAMS: tuple[tuple[str, str], ...] = (
    ("WordDocument", "an old Word document (.doc)"),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("Book", "an old Excel workbook (.xls)"),
    ("PowerPoint Document", "an old presentation (.ppt)"),
)
"""Of OLE files that are not read."""

HTML = re.compile(rb"\s*(?:<!--(?:(?!-->).)*-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
TAGS = re.compile(rb"</?(?:p|div|br|table|tr|td|ul|li|h[1-6]|span|a|b|title)\b[^>]{0,200}>", re.I)
FIELD = re.compile(rb"(?:From |[A-Za-z][A-Za-z0-9-]{1,40}:[ \t])")
MAIL_FIELDS = re.compile(
    rb"^(?:from|to|subject|date|mime-version|message-id|received|return-path|content-type|delivered-to|reply-to):",
    re.I | re.M,
)


def kind_of(file: BinaryIO, name: str) -> str:
    """The kind of a file: a key of `extract.KINDS`. The file is read from its begin, and left there.

    Raises:
        EmptyDocument: it has no bytes.
        EncryptedDocument: it needs a password.
        UnknownDocument: it is none that is read; the message says what it is, where that is known.
        BrokenDocument: it begins as a kind that it cannot be read as.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise EmptyDocument("The file has no bytes.")
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image"
    if head.startswith(OLE):
        return _ole(file)
    if head.startswith(ZIPS):
        return _zip(file)
    if b"%PDF-" in head[:1024] and b" obj" in head:  # behind what a printer or a server put before it
        return "pdf"
    for beginning, what in OTHERS:
        if head.startswith(beginning):
            raise UnknownDocument(f"The file is {what}, which is not read.")
    return _text(head, name)


def _text(head: bytes, name: str) -> str:
    if decoding.is_binary(head):
        raise UnknownDocument("The file is of no kind that is read.")
    plain = _narrow(head)
    suffix = PurePosixPath(name).suffix.lower()
    if HTML.match(plain):
        return "html"
    if plain.lstrip().startswith(b"{\\rtf"):
        return "rtf"
    if _is_mail(plain) or (suffix in (".eml", ".mht", ".mhtml") and FIELD.match(plain)):
        return "mail"
    named = NAMES.get(suffix, "text")
    if named == "mail":
        return "text"
    if named == "html" and not TAGS.search(plain):
        return "text"
    if named == "text" and suffix == "" and len(TAGS.findall(plain)) > 4:
        return "html"
    return named


def _narrow(head: bytes) -> bytes:
    """A text of two or four bytes a character as UTF-8, so that its begin can be looked at."""
    try:
        return decoding.text_of(head).encode() if head[:1000].count(0) else head.removeprefix(b"\xef\xbb\xbf")
    except BrokenDocument:
        return head


def _is_mail(head: bytes) -> bool:
    fields = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    if not FIELD.match(fields):
        return False
    return len({match.lower() for match in MAIL_FIELDS.findall(fields)}) >= 3


def _zip(file: BinaryIO) -> str:
    try:
        with ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                mimetype = archive.read("mimetype").strip()
                if mimetype in MIMETYPES:
                    return MIMETYPES[mimetype]
                if mimetype.startswith(b"application/vnd.oasis.opendocument."):
                    raise UnknownDocument("The file is an OpenDocument that is no text.")
            for part, kind in PARTS:
                if part in names:
                    return kind
            if "[Content_Types].xml" in names and archive.getinfo("[Content_Types].xml").file_size < 1_000_000:
                types = archive.read("[Content_Types].xml")
                if BINARY_WORKBOOK in types:
                    raise UnknownDocument("The file is a binary workbook (.xlsb), which is not read. Save it as .xlsx.")
                return next((kind for word, kind in CONTENT_TYPES if word in types), "zip")
            if "META-INF/container.xml" in names:
                return "epub"
            return "zip"
    except UnknownDocument:
        raise
    except Exception as error:
        raise BrokenDocument("The file begins as a ZIP archive and cannot be read as one.") from error
    finally:
        file.seek(0)


def _ole(file: BinaryIO) -> str:
    import olefile

    try:
        with olefile.OleFileIO(BytesIO(file.read())) as ole:
            tops = {entry[0] for entry in ole.listdir(streams=True, storages=True)}
    except Exception as error:
        raise BrokenDocument("The file begins as an OLE file and cannot be read as one.") from error
    finally:
        file.seek(0)
    if "EncryptedPackage" in tops or "EncryptionInfo" in tops:
        raise EncryptedDocument("The document needs a password.")
    if "__properties_version1.0" in tops:
        return "msg"
    found = next((what for stream, what in STREAMS if stream in tops), "an OLE file of another kind")
    raise UnknownDocument(f"The file is {found}, which is not read. Save it in today's format.")
