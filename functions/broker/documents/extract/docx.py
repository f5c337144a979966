"""Word documents: the text as it reads with all changes accepted, with headings, lists, tables, boxes and notes.

Pages are those that Word last laid out (`w:lastRenderedPageBreak`) and those that the author began; a document that
Word never laid out has the author's only.
"""

from collections.abc import Iterator
from typing import Any

from broker.documents import markdown
from broker.documents.archives import Archive
from broker.documents.document import Extract, Page
from broker.documents.extract import Source
from broker.documents.office import Package, attribute, child, children, is_on, local

LEFT_OUT = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rPr", "pPr", "sectPr", "tblPr", "trPr", "tcPr")
)
"""What is not read: text that was deleted or moved away, codes of fields, formats."""

NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"))
HYPHENS = {"noBreakHyphen": "-", "softHyphen": "", "tab": "\t", "ptab": "\t"}
PAGE = "\ue002"
"""Stands for a page break while blocks are read; a form feed would be taken for a space."""


def extract(source: Source) -> Extract:
    """Pages with their text; headers and footers once, before and after it; notes at the end of their page."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        package = Package(archive)
        main = package.main("word/document.xml")
        reader = _Reader(package, main)
        body = child(package.root(main), "body")
        parts: list[str] = []
        pages: list[list[str]] = [parts]
        for block in reader.blocks(body) if body is not None else ():
            first, *further = block.split(PAGE)
            pages[-1].append(first)
            pages += [[each] for each in further]
            source.count(len(pages))
        texts = [markdown.neat(markdown.blocks([*page, *reader.notes_of(page)])) for page in pages]
        texts = [reader.without_marks(text) for text in texts]
        heads, feet = reader.margins()
        if texts:
            texts[0] = markdown.blocks([*heads, texts[0]])
            texts[-1] = markdown.blocks([texts[-1], *feet])
        return Extract(tuple(Page(number, source.said(text)) for number, text in enumerate(texts, start=1)))


class _Reader:
    """Reads blocks of a document; what they refer to is looked up once."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._relations = package.relations(main)
        self._levels = self._heading_levels()
        self._bullets = self._bullet_lists()
        self._numbers: dict[tuple[str, int], int] = {}
        self._notes = dict(self._all_notes())

    def _part(self, kind: str) -> Iterator[Any]:
        for each in self._relations:
            if each.kind == kind and self._package.has(each.target):
                yield self._package.root(each.target)

    def _heading_levels(self) -> dict[str, int]:
        """The heading level of each style that has one, through the styles that it is based on."""
        own: dict[str, int | None] = {}
        based: dict[str, str | None] = {}
        for root in self._part("styles"):
            for style in children(root, "style"):
                name = attribute(style, "styleId") or ""
                based[name] = attribute(child(style, "basedOn"), "val") if child(style, "basedOn") is not None else None
                own[name] = _level_of_style(style)
        found: dict[str, int] = {}
        for name in own:
            at: str | None = name
            seen: set[str] = set()
            while at is not None and at in own and at not in seen:
                seen.add(at)
                if (level := own[at]) is not None:
                    if level:
                        found[name] = level
                    break
                at = based.get(at)
        return found

    def _bullet_lists(self) -> dict[tuple[str, int], str]:
        """The format of each list and level: `bullet`, `decimal` and so on."""
        abstract: dict[str, dict[int, str]] = {}
        found: dict[tuple[str, int], str] = {}
        for root in self._part("numbering"):
            for each in children(root, "abstractNum"):
                levels = {}
                for level in children(each, "lvl"):
                    kind = child(level, "numFmt")
                    levels[_int(attribute(level, "ilvl"))] = (attribute(kind, "val") if kind is not None else "") or ""
                abstract[attribute(each, "abstractNumId") or ""] = levels
            for each in children(root, "num"):
                of = child(each, "abstractNumId")
                for number, kind in abstract.get(attribute(of, "val") or "" if of is not None else "", {}).items():
                    found[attribute(each, "numId") or "", number] = kind
        return found

    def _all_notes(self) -> Iterator[tuple[str, str]]:
        for part, name in NOTES:
            for root in self._part(part):
                for note in children(root, name):
                    if attribute(note, "type") in (None, "normal"):
                        text = markdown.line(" ".join(self.blocks(note)).replace(PAGE, " "))
                        yield f"{name}:{attribute(note, 'id')}", text

    def notes_of(self, page: list[str]) -> list[str]:
        """The notes whose marks stand on a page, in their order."""
        text = "".join(page)
        found = ((text.find(_mark(key)), key) for key in self._notes)
        return [f"[^{key.partition(':')[2]}]: {self._notes[key]}" for place, key in sorted(found) if place >= 0]

    def without_marks(self, text: str) -> str:
        """Marks of notes as readers write them."""
        for key in self._notes if "\ue000" in text else ():
            text = text.replace(_mark(key), f"[^{key.partition(':')[2]}]")
        return text.replace("\ue000", "").replace("\ue001", "")

    def margins(self) -> tuple[list[str], list[str]]:
        """Headers and footers, each text once."""
        found = []
        for kind in ("header", "footer"):
            texts = (markdown.blocks(self.blocks(root)).replace(PAGE, "") for root in self._part(kind))
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
                rows, behind = self._table(element)
                yield rows
                yield from behind
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
        raw = self._text(element, boxes)
        properties = child(element, "pPr")
        style = child(properties, "pStyle") if properties is not None else None
        level = self._levels.get(attribute(style, "val") or "", 0) if style is not None else 0
        outline = child(properties, "outlineLvl") if properties is not None else None
        if outline is not None and _int(attribute(outline, "val"), 9) < 6:
            level = _int(attribute(outline, "val")) + 1
        if properties is not None and is_on(child(properties, "pageBreakBefore")) and not raw.startswith(PAGE):
            raw = PAGE + raw
        lead = raw[: len(raw) - len(raw.lstrip(PAGE))]
        text = "\n".join(markdown.line(each) for each in raw.removeprefix(lead).split("\n")).strip()
        if level and text.replace(PAGE, ""):
            return lead + markdown.heading(text.replace(PAGE, " "), level), False, boxes
        mark = self._list_mark(properties) if text.replace(PAGE, "") else ""
        return lead + mark + text, bool(mark), boxes

    def _list_mark(self, properties: Any) -> str:
        numbering = child(properties, "numPr") if properties is not None else None
        if numbering is None:
            return ""
        number, level = child(numbering, "numId"), child(numbering, "ilvl")
        name, depth = attribute(number, "val") if number is not None else None, 0
        if level is not None:
            depth = min(_int(attribute(level, "val")), 8)
        if name in (None, "0"):
            return ""
        kind = self._bullets.get((str(name), depth), "bullet")
        if kind in ("bullet", "none", ""):
            return "  " * depth + "- "
        count = self._numbers[str(name), depth] = self._numbers.get((str(name), depth), 0) + 1
        for below in range(depth + 1, 9):
            self._numbers.pop((str(name), below), None)
        return "  " * depth + f"{count}. "

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
            elif name in HYPHENS:
                found.append(HYPHENS[name])
            elif name == "br":
                found.append(PAGE if attribute(element, "type") == "page" else "\n")
            elif name == "cr":
                found.append("\n")
            elif name == "lastRenderedPageBreak":
                if not (found and found[-1] == PAGE):
                    found.append(PAGE)
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

    def _table(self, element: Any) -> tuple[str, list[str]]:
        """The table, and the tables that lie in its cells, behind it."""
        behind: list[str] = []
        rows = []
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
                        behind += [nested, *further]
                    elif not goes_on:
                        text, _, boxes = self._paragraph(inner)
                        texts += [text, *boxes]
                cells.append(" ".join(texts).replace(PAGE, " "))
                cells += [""] * (min(_int(attribute(span, "val"), 1), 100) - 1 if span is not None else 0)
            rows.append(cells)
        return markdown.table(rows), behind


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


def _level_of_style(style: Any) -> int | None:
    """1 to 6; 0 where the style says that it is body text, None where it leaves that to what it is based on."""
    outline = child(style, "pPr", "outlineLvl")
    if outline is not None:
        level = _int(attribute(outline, "val"), 9)
        return level + 1 if level < 6 else 0
    name = child(style, "name")
    words = (attribute(name, "val") or "").lower().split() if name is not None else []
    if words[:1] == ["heading"] and words[1:] and words[1].isdecimal() and 1 <= int(words[1]) <= 6:
        return int(words[1])
    return 1 if words == ["title"] else None


def _mark(key: str) -> str:
    return f"\ue000{key}\ue001"


def _symbol(code: str | None) -> str:
    """A character of a symbol font; those in the private area have no meaning without it."""
    try:
        value = int(code or "", 16)
    except ValueError:
        return ""
    return chr(value) if 32 <= value < 0xD800 else "•" if 0xF000 <= value <= 0xF0FF else ""


def _int(value: str | None, default: int = 0) -> int:
    try:
        return int(value or default)
    except ValueError:
        return default
