"""Presentations: a page for each slide, its title first, then what is on it, then the speaker's notes."""

from collections.abc import Iterator
from typing import Any

from broker.documents import markdown
from broker.documents.archives import Archive
from broker.documents.document import BrokenDocument, Extract, Page
from broker.documents.extract import Source, pictures
from broker.documents.office import Package, attribute, child, children, local

TITLES = ("title", "ctrTitle")
PLACES = ("dt", "ftr", "sldNum")
"""Placeholders of the margins: date, footer, number."""


def extract(source: Source) -> Extract:
    """The slides in the order in which they are shown, hidden ones too."""
    with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
        package = Package(archive)
        main = package.main("ppt/presentation.xml")
        targets = {each.id: each.target for each in package.relations(main)}
        order = child(package.root(main), "sldIdLst")
        slides = [targets.get(_relation_id(each) or "") for each in order] if order is not None else []
        source.count(len(slides))
        pages = []
        for number, part in enumerate(slides, start=1):
            text, shown = _slide(package, part) if part and package.has(part) else ("", [])
            pages.append(Page(number, source.said(text), pictures.scans(source, archive, number, text, shown)))
        return Extract(tuple(pages))


def _relation_id(element: Any) -> str | None:
    """`r:id`, beside which there is an `id` without a namespace."""
    return next((str(value) for key, value in element.attrib.items() if key.endswith("}id")), None)


def _slide(package: Package, part: str) -> tuple[str, list[str]]:
    """A slide's text, and the parts that are its pictures."""
    tree = child(package.root(part), "cSld", "spTree")
    relations = package.relations(part)
    titles: list[str] = []
    parts: list[str] = []
    images = {each.id: each.target for each in relations if each.kind == "image"}
    shown: list[str] = []
    for shape in _shapes(tree) if tree is not None else ():
        place = _placeholder(shape)
        if local(shape) != "graphicFrame":
            shown += [images[id] for id in _pictures(shape) if id in images]
        if place in PLACES:
            continue
        if place in TITLES:
            titles.append(markdown.heading(" ".join(_paragraphs(shape)), 1))
        elif local(shape) == "graphicFrame":
            parts.append(_frame(package, shape, {each.id: each.target for each in relations}))
        else:
            parts.append(_body(shape))
    said = markdown.neat(markdown.blocks([*titles, *parts, *_notes(package, relations)]))
    return said, list(dict.fromkeys(shown))


def _pictures(shape: Any) -> Iterator[str]:
    """The relations of the pictures that a shape is, or is filled with."""
    return (id for each in shape.iter() if local(each) == "blip" and (id := attribute(each, "embed")))


def _shapes(tree: Any) -> Iterator[Any]:
    """All shapes, those in groups too, in the order in which they are drawn and read."""
    stack = list(reversed(tree))
    while stack:
        shape = stack.pop()
        name = local(shape)
        if name in ("sp", "pic", "graphicFrame", "cxnSp"):
            yield shape
        elif name in ("grpSp", "AlternateContent", "Choice"):
            stack.extend(reversed(shape))


def _placeholder(shape: Any) -> str | None:
    """What the layout says that the shape is: `title`, `body` …; None where it says nothing."""
    for properties in shape:
        if local(properties).startswith("nv"):
            found = child(properties, "nvPr", "ph")
            return None if found is None else attribute(found, "type") or "body"
    return None


def _paragraphs(element: Any) -> Iterator[str]:
    """The text of each paragraph below an element."""
    for paragraph in element.iter():
        if local(paragraph) == "p":
            text = _text(paragraph)
            if text:
                yield text


def _text(paragraph: Any) -> str:
    parts = []
    for each in paragraph.iter():
        name = local(each)
        if name == "t":
            parts.append(each.text or "")
        elif name in ("br", "tab"):
            parts.append(" ")
    return markdown.line("".join(parts))


def _body(shape: Any) -> str:
    """Text of a shape; deeper levels as lists."""
    lines = []
    body = child(shape, "txBody")
    for paragraph in children(body, "p") if body is not None else ():
        properties = child(paragraph, "pPr")
        level = attribute(properties, "lvl") if properties is not None else None
        depth = min(int(level), 8) if level and level.isdecimal() else 0
        if text := _text(paragraph):
            lines.append("  " * (depth - 1) + "- " + text if depth else text)
    return "\n".join(lines)


def _frame(package: Package, frame: Any, targets: dict[str, str]) -> str:
    """A table, a chart, or a drawing made of text (SmartArt)."""
    data = child(frame, "graphic", "graphicData")
    if data is None:
        return ""
    for each in data.iter():
        name = local(each)
        if name == "tbl":
            rows = ([" ".join(_paragraphs(cell)) for cell in children(row, "tc")] for row in children(each, "tr"))
            return markdown.table(rows)
        if name == "chart" and (part := targets.get(_relation_id(each) or "")):
            return _chart(package, part)
        if name == "relIds" and (part := targets.get(attribute(each, "dm") or "")):
            return "\n".join(f"- {text}" for text in _paragraphs(_root(package, part)))
    return ""


def _root(package: Package, part: str) -> Any:
    try:
        return package.root(part)
    except BrokenDocument:
        return ()


def _chart(package: Package, part: str) -> str:
    """A chart's titles, and its series as a table: the values that were kept with it."""
    root = _root(package, part)
    if isinstance(root, tuple):
        return ""
    titles = [" ".join(_paragraphs(title)) for title in root.iter() if local(title) == "title"]
    series = [each for each in root.iter() if local(each) == "ser"]
    names = [" ".join(_values(child(each, "tx"))) for each in series]
    categories: list[str] = next((found for each in series if (found := _values(_first(each, "cat", "xVal")))), [])
    columns = [_values(_first(each, "val", "yVal")) for each in series]
    rows = [["", *names]] if series else []
    for place in range(max(map(len, [categories, *columns]), default=0)):
        cells = (column[place] if place < len(column) else "" for column in [categories, *columns])
        rows.append(list(cells))
    return markdown.blocks([*titles, markdown.table(rows)])


def _first(element: Any, *names: str) -> Any:
    return next((found for name in names if (found := child(element, name)) is not None), None)


def _values(element: Any) -> list[str]:
    return [each.text or "" for each in element.iter() if local(each) == "v"] if element is not None else []


def _notes(package: Package, relations: list[Any]) -> Iterator[str]:
    for each in relations:
        if each.kind != "notesSlide" or not package.has(each.target):
            continue
        tree = child(_root(package, each.target), "cSld", "spTree")
        for shape in _shapes(tree) if tree is not None else ():
            if _placeholder(shape) == "body" and (text := _body(shape)):
                yield f"Notes: {text}"
