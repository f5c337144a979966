"""Books (EPUB): a page for each chapter, in the order of the spine."""

import posixpath
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from broker.documents import decoding
from broker.documents.archives import Archive
from broker.documents.document import BrokenDocument, EncryptedDocument, Extract, Page
from broker.documents.extract import Source, html, pictures
from broker.documents.office import children, local

FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Of fonts alone, which are not read."""


PICTURE = re.compile(r"<(?:img|image)\b[^<>]*?\s(?:src|(?:xlink:)?href)\s*=\s*(?:\"([^\"<>]+)\"|'([^'<>]+)')", re.I)


def extract(source: Source) -> Extract:
    """The chapters; what the spine calls not linear comes too, where it stands."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        _refuse_locked(archive)
        package = next(
            (
                each.get("full-path")
                for each in archive.xml("META-INF/container.xml").iter()
                if local(each) == "rootfile"
            ),
            None,
        )
        if not package:
            raise BrokenDocument("The book does not say where its package is.")
        root = archive.xml(package)
        folder = posixpath.dirname(package)
        parts = {each.get("id"): each for each in root.iter() if local(each) == "item"}
        spine = [
            parts[name] for each in root.iter() if local(each) == "itemref" and (name := each.get("idref")) in parts
        ]
        source.count(len(spine))
        pages: list[Page] = []
        for item in spine:
            name = posixpath.normpath(posixpath.join(folder, unquote((item.get("href") or "").partition("#")[0])))
            if name not in archive:
                continue
            data = archive.read(name)
            markup = decoding.text_of(data, html.declared(data))
            text, at = html.text_of(markup), len(pages) + 1
            shown = (posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in _pictures(markup))
            scans = pictures.scans(source, archive, at, text, dict.fromkeys(shown))
            if text or scans:
                pages.append(Page(at, source.said(text), scans))
        return Extract(tuple(pages))


def _pictures(markup: str) -> Iterator[str]:
    """What a chapter shows: a scanned book is nothing else."""
    return (unquote(unescape(found[1] or found[2])) for found in PICTURE.finditer(markup))


def _refuse_locked(archive: Archive) -> None:
    """Raises EncryptedDocument where more than fonts is encrypted."""
    name = "META-INF/encryption.xml"
    if name not in archive:
        return
    for each in archive.xml(name).iter():
        if local(each) == "EncryptedData":
            methods = [method.get("Algorithm") for method in children(each, "EncryptionMethod")]
            if any(method not in FONT_SCRAMBLING for method in methods):
                raise EncryptedDocument("The book is locked.")
