"""ZIP archives: each file in them is a file inside. Flat: an archive in an archive is not opened."""

from pathlib import PurePosixPath
from zipfile import ZipInfo

from broker.documents import decoding
from broker.documents.archives import Archive
from broker.documents.document import DangerousDocument, DocumentError, Extract, TooMuch, UnknownDocument
from broker.documents.extract import Source
from broker.documents.kinds import ZIPS

LINK = 0o120000
UTF8 = 0x800
LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems put into archives beside what was meant."""


def extract(source: Source) -> Extract:
    """No pages; each file in it, or why it is not read."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        inner = []
        for entry in archive.entries():
            name = name_of(entry)
            if name.startswith(LITTER[0]) or PurePosixPath(name).name in LITTER:
                continue
            inner.append(source.inner(name, _content(archive, entry, name)))
        return Extract((), tuple(inner))


def name_of(entry: ZipInfo) -> str:
    """The entry's name; one that is not marked as UTF-8 is often that all the same, and else of code page 437."""
    name = entry.filename
    if not entry.flag_bits & UTF8:
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            pass
    return decoding.tidy(name).replace("\\", "/").replace("\n", " ")[:512]


def _content(archive: Archive, entry: ZipInfo, name: str) -> bytes | DocumentError:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/") or (parts and parts[0].endswith(":")):
        return DangerousDocument("The name leads out of the archive's folder.")
    if (entry.external_attr >> 16) & 0o170000 == LINK:
        return DangerousDocument("The entry is a link.")
    try:
        data = archive.read(entry)
    except TooMuch:
        raise
    except DocumentError as error:
        return error
    if data.startswith(ZIPS) and PurePosixPath(name).suffix.lower() in (".zip", ".jar", ""):
        return UnknownDocument("An archive in an archive is not opened.", code="archive_in_archive")
    return data
