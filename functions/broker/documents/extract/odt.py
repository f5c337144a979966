"""OpenDocument texts: headings, lists, tables and notes; pages where the writer's program broke them."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from broker.documents import markdown
from broker.documents.archives import Archive
from broker.documents.document import EncryptedDocument, Extract, Page
from broker.documents.extract import Source, pictures
from broker.documents.office import attribute, child, local

PICTURE = re.compile("\ue004([^\ue001]*)\ue001")
"""Stands for a picture, with the name of its part."""
PAGE = "\ue002"
"""Stands for a page break while blocks are read; a form feed would be taken for a space."""
LEFT_OUT = frozenset(
    ("tracked-changes", "forms", "sequence-decls", "annotation", "desc", "title", "bookmark", "ruby-text")
)
MOST_REPEATS = 1_000
"""Of spaces and cells that are written once with a number."""


def extract(source: Source) -> Extract:
    """The text; soft page breaks of the last layout begin pages, and so do styles that break before."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        if "META-INF/manifest.xml" in archive and any(
            local(each) == "encryption-data" for each in archive.xml("META-INF/manifest.xml").iter()
        ):
            raise EncryptedDocument("The document needs a password.")
        root = archive.xml("content.xml")
        text = child(root, "body", "text")
        breaking = set(_breaking_styles(root))
        blocks = _blocks(text, breaking) if text is not None else iter(())
        pages: list[list[str]] = [[]]
        for block in blocks:
            first, *further = block.split(PAGE)
            pages[-1].append(first)
            pages += [[each] for each in further]
            source.count(len(pages))
        return Extract(tuple(_page(source, archive, number, page) for number, page in enumerate(pages, start=1)))


def _page(source: Source, archive: Archive, number: int, blocks: list[str]) -> Page:
    said = markdown.blocks(blocks)
    shown = list(dict.fromkeys(unquote(name) for name in PICTURE.findall(said)))
    text = markdown.neat(PICTURE.sub("", said))
    text = text if any(letter.isalnum() for letter in text) else ""  # an empty table says nothing
    return Page(number, source.said(text), pictures.scans(source, archive, number, text, shown))


def _breaking_styles(root: Any) -> Iterator[str]:
    for style in root.iter():
        if local(style) == "style":
            properties = child(style, "paragraph-properties")
            if properties is not None and attribute(properties, "break-before") == "page":
                yield attribute(style, "name") or ""


def _blocks(parent: Any, breaking: set[str]) -> Iterator[str]:
    """Paragraphs, lists and tables, in order; sections and frames are opened. Without recursion."""
    stack: list[tuple[Any, int, str]] = [(each, 0, "") for each in reversed(parent)]
    items: list[str] = []
    while stack:
        element, depth, mark = stack.pop()
        name = local(element)
        if name in LEFT_OUT or not name:
            continue
        if items and name not in ("list", "list-item", "list-header") and not depth:
            yield "\n".join(items)
            items = []
        if name in ("p", "h"):
            text, behind = _text(element)
            lead = PAGE if attribute(element, "style-name") in breaking and not text.startswith(PAGE) else ""
            if name == "h":
                level = attribute(element, "outline-level") or "1"
                yield lead + markdown.heading(text.replace(PAGE, " "), int(level) if level.isdecimal() else 1)
            elif depth:
                items.append("  " * (depth - 1) + mark + text.replace(PAGE, " ") if text else "")
            else:
                yield lead + text
            stack.extend((each, 0, "") for each in reversed(behind))
        elif name == "soft-page-break":
            yield PAGE
        elif name == "table":
            yield _table(element)
        elif name == "image":
            yield _picture(element)
        elif name == "list":
            stack.extend((each, depth + 1, "- ") for each in reversed(element))
        else:
            stack.extend((each, depth, mark) for each in reversed(element))
    if items:
        yield "\n".join(item for item in items if item)


def _text(paragraph: Any) -> tuple[str, list[Any]]:
    """The text of a paragraph, and the text boxes in it, which are read behind it."""
    found = [paragraph.text or ""]
    behind: list[Any] = []
    stack: list[Any] = list(reversed(paragraph))
    while stack:
        element = stack.pop()
        if isinstance(element, str):
            found.append(element)
            continue
        name = local(element)
        if element.tail:
            stack.append(element.tail)
        if name in LEFT_OUT or not name:
            continue
        if name == "s":
            count = attribute(element, "c") or "1"
            found.append(" " * min(int(count) if count.isdecimal() else 1, MOST_REPEATS))
        elif name == "tab":
            found.append("\t")
        elif name == "line-break":
            found.append("\n")
        elif name == "soft-page-break":
            found.append(PAGE)
        elif name == "text-box":
            behind.append(element)
        elif name == "image":
            found.append(_picture(element))
        elif name == "note":
            body = child(element, "note-body")
            said = markdown.line(" ".join(_blocks(body, set()))) if body is not None else ""
            found.append(f" [{said}]" if said else "")
        else:
            if element.text:
                found.append(element.text)
            stack.extend(reversed(element))
    return "\n".join(markdown.line(each) for each in "".join(found).split("\n")).strip(" "), behind


def _picture(image: Any) -> str:
    """A mark for a picture; its name has no spaces, so that it stays one word."""
    return f"\ue004{quote(unquote(attribute(image, 'href') or ''))}\ue001"


def _table(table: Any) -> str:
    rows: list[list[str]] = []
    for row in table.iter():
        if local(row) != "table-row" or _owner(row) is not table:
            continue
        cells: list[str] = []
        for cell in row:
            if local(cell) not in ("table-cell", "covered-table-cell"):
                continue
            times = attribute(cell, "number-columns-repeated") or "1"
            text = " ".join(_blocks(cell, set())).replace(PAGE, " ") if local(cell) == "table-cell" else ""
            cells += [text] * min(int(times) if times.isdecimal() else 1, MOST_REPEATS if not text else 50)
        rows.append(cells)
    return markdown.table(rows)


def _owner(row: Any) -> Any:
    at = row.getparent()
    while at is not None and local(at) != "table":
        at = at.getparent()
    return at
