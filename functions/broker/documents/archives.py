"""ZIP archives that may be made to do harm: what is in them is read within bounds, and nothing is unpacked by its name.

A ZIP's directory says how large each file becomes. It is held to it: Python reads no more than it says (and fails where
the check sum differs), so a bomb shows itself before anything is read of it.
"""

from collections.abc import Iterator
from io import BytesIO
from types import TracebackType
from typing import BinaryIO, Self
from xml.etree.ElementTree import Element
from zipfile import ZipFile, ZipInfo
from zlib import error as ZlibError

from broker.documents.document import BrokenDocument, DocumentError, EncryptedDocument, TooMuch

MOST_PARTS = 20_000
"""Entries of a directory."""

STEP = 1 << 20
ENCRYPTED = 0x1
XML_BYTES = 100_000_000
"""Of one part that is read as XML: its tree takes some ten times as much."""


class Archive:
    """An open archive. What is read of it, in all, is at most `unpacked_bytes`."""

    def __init__(self, file: BinaryIO, unpacked_bytes: int) -> None:
        """Read the directory.

        Raises:
            BrokenDocument: there is none.
            TooMuch: it has too many entries, or promises too many bytes.
        """
        self._left = unpacked_bytes
        try:
            self._zip = ZipFile(file)
        except Exception as error:
            raise BrokenDocument("The archive's directory cannot be read.") from error
        entries = self._zip.infolist()
        if len(entries) > MOST_PARTS:
            raise TooMuch(f"The archive has more than {MOST_PARTS} entries.", code="too_many_files")
        if sum(entry.file_size for entry in entries) > unpacked_bytes:
            raise TooMuch("What the archive holds is above the limit.", code="unpacks_too_large")
        self._by_name = {entry.filename.lower(): entry for entry in entries}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    def entries(self) -> Iterator[ZipInfo]:
        """All but folders, in the directory's order."""
        return (entry for entry in self._zip.infolist() if not entry.is_dir())

    def read(self, name: str | ZipInfo) -> bytes:
        """One entry; names are compared as Office does, without case.

        Raises:
            BrokenDocument: it is not there, or damaged.
            EncryptedDocument: it needs a password.
            TooMuch: with it, more was read than may be.
        """
        entry = self._by_name.get(name.lower()) if isinstance(name, str) else name
        if entry is None:
            raise BrokenDocument("A part that it cannot do without is missing.")
        if entry.flag_bits & ENCRYPTED:
            raise EncryptedDocument("A file of the archive needs a password.")
        found = BytesIO()
        try:
            with self._zip.open(entry) as opened:
                while step := opened.read(STEP):
                    self._left -= len(step)
                    if self._left < 0:
                        raise TooMuch("What the archive holds is above the limit.", code="unpacks_too_large")
                    found.write(step)
        except DocumentError:
            raise
        except (Exception, ZlibError) as error:
            raise BrokenDocument("A file of the archive is damaged.") from error
        return found.getvalue()

    def xml(self, name: str) -> Element:
        """One part as XML.

        Raises:
            BrokenDocument: it is not there, or no XML.
            TooMuch: it is too large for that.
        """
        data = self.read(name)
        if len(data) > XML_BYTES:
            raise TooMuch("A part of the document is above the limit.", code="unpacks_too_large")
        return xml_of(data)


def xml_of(data: bytes) -> Element:
    """The root of an XML document. Nothing is fetched, and nesting is bounded (by libxml2).

    Raises:
        BrokenDocument: it is none, or has entities, by which a few bytes become gigabytes, and files of ours text.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BrokenDocument("A part of the document is no well-formed XML.") from error
    if root is None:
        raise BrokenDocument("A part of the document is empty.")
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and next(dtd.iterentities(), None) is not None:
        raise BrokenDocument("A part of the document has entities of its own, which no program writes.")
    return root  # type: ignore[no-any-return]  # lxml's elements are read as the standard library's are
