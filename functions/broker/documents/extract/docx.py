"""Word documents: the text as it reads with all changes accepted, with headings, lists, tables, boxes and notes.

Pages are those that Word last laid out (`w:lastRenderedPageBreak`) and those that the author began; a document that
Word never laid out has the author's only.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from broker.documents import markdown
from broker.documents.archives import Archive
from broker.documents.document import Extract, Page
from broker.documents.extract import Source, pictures
from broker.documents.extract.docx_styles import Styles, number_of
from broker.documents.office import Package, attribute, child, children, is_on, local

LEFT_OUT = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rPr", "pPr", "sectPr", "tblPr", "trPr", "tcPr")
)
"""What is not read: text that was deleted or moved away, codes of fields, formats."""

NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"))
HYPHENS = {"noBreakHyphen": "-", "softHyphen": "", "tab": "\t", "ptab": "\t"}
SAME_PAGE = ("continuous", "nextColumn")
"""Sections that begin on the page where the one before ends."""
NOTE = re.compile("\ue000([^\ue000\ue001]*)\ue001")
"""Stands for the mark of a note."""
PICTURE = re.compile("\ue004([0-9]+)\ue001")
"""Stands for a picture."""
PAGE = "\ue002"
"""Stands for a page break while blocks are read; a form feed would be taken for a space."""


def extract(source: Source) -> Extract:
    """Pages with their text; headers and footers once, before and after it; notes at the end of their page."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        package = Package(archive)
        main = package.main("word/document.xml")
        body = child(package.root(main), "body")
        reader = _Reader(package, main, islice(_sections(body), 1, None))
        parts: list[str] = []
        pages: list[list[str]] = [parts]
        for block in reader.blocks(body) if body is not None else ():
            first, *further = block.split(PAGE)
            pages[-1].append(first)
            pages += [[each] for each in further]
            source.count(len(pages))
        texts = [reader.without_marks(markdown.blocks([*page, *reader.notes_of(page)])) for page in pages]
        scans = [
            pictures.scans(source, archive, number, text, reader.pictures_of(page))
            for number, (text, page) in enumerate(zip(texts, pages, strict=True), start=1)
        ]
        heads, feet = reader.margins()
        texts[0] = markdown.blocks([*heads, texts[0]])
        texts[-1] = markdown.blocks([texts[-1], *feet])
        said = enumerate(zip(texts, scans, strict=True), start=1)
        return Extract(tuple(Page(number, source.said(text), scan) for number, (text, scan) in said))


def _sections(body: Any) -> Iterator[str]:
    """How each section begins, in their order: `nextPage`, unless it says otherwise."""
    for each in body.iter() if body is not None else ():
        if local(each) == "sectPr" and local(each.getparent()) != "sectPrChange":
            kind = child(each, "type")
            yield (attribute(kind, "val") if kind is not None else None) or "nextPage"


class _Reader:
    """Reads blocks of a document; what they refer to is looked up once."""

    def __init__(self, package: Package, main: str, sections: Iterable[str]) -> None:
        """`sections` are how the second section and each after it begins."""
        self._package = package
        self._relations = package.relations(main)
        self._styles = Styles(self._part("styles"), self._part("numbering"))
        self._sections = iter(sections)
        self._images = {each.id: each.target for each in self._relations if each.kind == "image"}
        self._pictures: list[str] = []
        self._said = self._at_top = False
        self._notes = dict(self._all_notes())
        self._said = False  # in the body
        self._at_top = False  # of a page that the author began, and that is empty so far

    def _part(self, kind: str) -> Iterator[Any]:
        for each in self._relations:
            if each.kind == kind and self._package.has(each.target):
                yield self._package.root(each.target)

    def _all_notes(self) -> Iterator[tuple[str, str]]:
        for part, name in NOTES:
            for root in self._part(part):
                for note in children(root, name):
                    if attribute(note, "type") in (None, "normal"):
                        text = markdown.line(PICTURE.sub("", " ".join(self.blocks(note)).replace(PAGE, " ")))
                        yield f"{name}:{attribute(note, 'id')}", text

    def notes_of(self, page: list[str]) -> list[str]:
        """The notes whose marks stand on a page, in their order."""
        text = "".join(page)
        keys = (key for key in dict.fromkeys(NOTE.findall(text)) if key in self._notes)
        return [f"[^{key.partition(':')[2]}]: {self._notes[key]}" for key in keys]

    def without_marks(self, text: str) -> str:
        """Marks of notes as readers write them, and none of pictures."""
        text = NOTE.sub(lambda found: f"[^{found[1].partition(':')[2]}]" if found[1] in self._notes else "", text)
        text = PICTURE.sub("", text)
        return markdown.neat(text) if any(letter.isalnum() for letter in text) else ""  # an empty table says nothing

    def pictures_of(self, page: list[str]) -> list[str]:
        """The parts that are the pictures of a page, each once."""
        return list(dict.fromkeys(self._pictures[int(number)] for block in page for number in PICTURE.findall(block)))

    def margins(self) -> tuple[list[str], list[str]]:
        """Headers and footers, each text once."""
        found = []
        for kind in ("header", "footer"):
            texts = (
                self.without_marks(markdown.blocks(self.blocks(root)).replace(PAGE, "")) for root in self._part(kind)
            )
            found.append(list(dict.fromkeys(text for text in texts if text.strip())))
        return found[0], found[1]

    def blocks(self, parent: Any) -> Iterator[str]:
        """Paragraphs and tables below an element, in reading order; list items stand together."""
        items: list[str] = []
        for element in _flat(parent):
            if local(element) == "tbl":
                if items:
                    yield "\n".join(items)
                    items = []
                tables, behind = self._table(element)
                yield from (*tables, *behind)
                continue
            text, is_item, boxes = self._paragraph(element)
            if is_item:
                items.append(text)
            else:
                if items:
                    yield "\n".join(items)
                    items = []
                yield text
            yield from boxes
        if items:
            yield "\n".join(items)

    def _paragraph(self, element: Any) -> tuple[str, bool, list[str]]:
        boxes: list[str] = []
        properties = child(element, "pPr")
        own = properties is not None and is_on(child(properties, "pageBreakBefore")) and self._said
        self._at_top = self._at_top or own
        raw = (PAGE if own else "") + self._text(element, boxes)
        if properties is not None and child(properties, "sectPr") is not None:
            if next(self._sections, "continuous") not in SAME_PAGE:
                raw += PAGE
                self._at_top = True
        lead = raw[: len(raw) - len(raw.lstrip(PAGE))]
        raw = raw.removeprefix(lead)
        tail = raw[len(raw.rstrip(PAGE)) :]
        text = "\n".join(markdown.line(each) for each in raw.removesuffix(tail).split("\n")).strip()
        level, mark, is_item = self._styles.of(properties) if text.replace(PAGE, "") else (0, "", False)
        if level:
            return lead + markdown.heading(mark + text.replace(PAGE, " "), level) + tail, False, boxes
        return lead + mark + text + tail, is_item, boxes

    def _text(self, root: Any, boxes: list[str]) -> str:
        """The text of a paragraph; text boxes in it are put apart. Without recursion, but into boxes."""
        found: list[str] = []
        stack = list(reversed(root))
        while stack:
            element = stack.pop()
            name = local(element)
            if name in LEFT_OUT or name == "Fallback":
                continue
            if name == "t":
                found.append(element.text or "")
                self._says(bool(found[-1].strip()))
            elif name in HYPHENS:
                found.append(HYPHENS[name])
            elif name == "br":
                is_page = attribute(element, "type") == "page"
                self._at_top = self._at_top or is_page
                found.append(PAGE if is_page else "\n")
            elif name == "cr":
                found.append("\n")
            elif name == "lastRenderedPageBreak":
                found.append("" if self._at_top else PAGE)  # Word marks the top of a page that the author began too
            elif name in ("blip", "imagedata"):
                self._says(True)
                boxes.append(self._picture(attribute(element, "embed" if name == "blip" else "id")))
            elif name in ("footnoteReference", "endnoteReference"):
                found.append(_mark(f"{name.removesuffix('Reference')}:{attribute(element, 'id')}"))
            elif name == "txbxContent":
                boxes.append(markdown.blocks(self.blocks(element)).replace(PAGE, "\n"))
            elif name == "sym":
                found.append(_symbol(attribute(element, "char")))
            elif name == "r" and _is_hidden(element):
                continue
            else:
                stack.extend(reversed(element))
        return "".join(found)

    def _says(self, something: bool) -> None:
        """Keep in mind that the page is not empty any more."""
        if something:
            self._said, self._at_top = True, False

    def _picture(self, id: str | None) -> str:
        target = self._images.get(id or "")
        if target is None:
            return ""
        self._pictures.append(target)
        return f"\ue004{len(self._pictures) - 1}\ue001"

    def _table(self, element: Any) -> tuple[list[str], list[str]]:
        """The table, in as many parts as pages that it is on, and the tables that lie in its cells, behind it."""
        behind: list[str] = []
        parts: list[list[list[str]]] = [[]]
        for row in _flat(element, ("tr",)):
            cells: list[str] = []
            for cell in _flat(row, ("tc",)):
                properties = child(cell, "tcPr")
                merged = child(properties, "vMerge") if properties is not None else None
                span = child(properties, "gridSpan") if properties is not None else None
                goes_on = merged is not None and (attribute(merged, "val") or "continue") == "continue"
                texts = []
                for inner in _flat(cell):
                    if local(inner) == "tbl":
                        nested, further = self._table(inner)
                        behind += [*(each.replace(PAGE, " ") for each in nested), *further]
                    elif not goes_on:
                        text, _, boxes = self._paragraph(inner)
                        texts += [text, *boxes]
                cells.append(" ".join(texts))
                cells += [""] * (min(number_of(attribute(span, "val"), 1), 100) - 1 if span is not None else 0)
            if any(cell.startswith(PAGE) for cell in cells):
                parts.append([])
            parts[-1].append([cell.replace(PAGE, " ") for cell in cells])
            if any(PAGE in cell.lstrip(PAGE) for cell in cells):
                parts.append([])
        first, *further_parts = (markdown.table(rows) for rows in parts)
        return [first, *(PAGE + each for each in further_parts)], behind


def _flat(parent: Any, names: tuple[str, ...] = ("p", "tbl")) -> Iterator[Any]:
    """The children of these names, also those within content controls, changes that were made, and the like."""
    stack = list(reversed(parent))
    while stack:
        element = stack.pop()
        name = local(element)
        if name in names:
            yield element
        elif name not in LEFT_OUT and name not in ("p", "tbl", "tr", "tc", "Fallback"):
            stack.extend(reversed(element))


def _is_hidden(run: Any) -> bool:
    properties = child(run, "rPr")
    return properties is not None and is_on(child(properties, "vanish"))


def _mark(key: str) -> str:
    return f"\ue000{key}\ue001"


def _symbol(code: str | None) -> str:
    """A character of a symbol font; those in the private area have no meaning without it."""
    try:
        value = int(code or "", 16)
    except ValueError:
        return ""
    return chr(value) if 32 <= value < 0xD800 else "•" if 0xF000 <= value <= 0xF0FF else ""
