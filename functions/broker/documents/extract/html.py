"""HTML as a reader sees it: headings, lists and tables kept, scripts and what is hidden left out."""

import re
from typing import Any

from broker.documents import decoding, markdown
from broker.documents.document import BrokenDocument, Extract, Page
from broker.documents.extract import Source

DECLARED = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)|<\?xml[^>]{0,100}encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)",
    re.I,
)
"""The encoding that the page says it has (HTML, section 13.2.3.2: in the first 1,024 bytes)."""

SILENT = frozenset(
    (
        "script",
        "style",
        "noscript",
        "template",
        "head",
        "svg",
        "iframe",
        "object",
        "canvas",
        "annotation",
        "audio",
        "video",
    )
)
"""Elements whose content nobody reads."""

BLOCKS = frozenset(
    (
        "address article aside blockquote body center dd details dialog div dl dt "
        "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header "
        "hgroup hr html legend li main nav ol p pre section summary "
        "table ul option"
    ).split()
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)


def extract(source: Source) -> Extract:
    """One page, its title as first heading where the page itself does not begin with it."""
    data = source.data
    text = decoding.text_of(data, declared(data))
    return Extract((Page(1, source.said(text_of(text))),))


def declared(data: bytes) -> str | None:
    """The encoding that a page declares."""
    found = DECLARED.search(data[:4096])
    if not found:
        return None
    name = (found[1] or found[2]).decode("ascii", "replace").lower()
    return "utf-8" if name.startswith("utf-16") else {"iso-8859-1": "cp1252", "latin1": "cp1252"}.get(name, name)


def text_of(html: str) -> str:
    """The text of a page, or of a part of one.

    Raises:
        BrokenDocument: the parser gives up on it.
    """
    from selectolax.lexbor import LexborHTMLParser

    try:
        tree = LexborHTMLParser(html)
        body = tree.body or tree.root
        title = tree.css_first("head > title")
    except Exception as error:
        raise BrokenDocument("The page cannot be read as HTML.") from error
    said = _Writer().write(body) if body is not None else ""
    name = markdown.line(title.text(deep=True)) if title is not None else ""
    if name and name not in said[: len(name) + 200]:
        said = markdown.blocks([markdown.heading(name, 1), said])
    return said


class _Writer:
    """Walks a tree without recursion: pages are nested by machines, and by those who mean harm."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._line: list[str] = []
        self._prefix = ""
        self._lists: list[int | None] = []

    def write(self, root: Any) -> str:
        stack: list[tuple[Any, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            tag = node.tag
            if leaving:
                self._leave(tag)
                continue
            if tag == "-text":
                self._line.append(node.text_content or "")
            elif tag in SILENT or tag.startswith(("-", "_", "!")) or _is_hidden(node):
                continue
            elif tag == "table" and not _is_layout(node):
                self._end_block()
                if (caption := node.css_first("caption")) is not None:
                    self._parts += [markdown.line(caption.text(deep=True)), ""]
                self._parts += [markdown.table(_rows(node)), ""]
            elif tag == "pre":
                self._end_block()
                self._parts.append(f"\n{_as_it_stands(node).strip(chr(10))}\n")
            else:
                self._enter(node, tag)
                stack.append((node, True))
                each = node.last_child
                while each is not None:
                    stack.append((each, False))
                    each = each.prev
        self._end_block()
        return markdown.neat("\n".join(self._parts))

    def _enter(self, node: Any, tag: str) -> None:
        if tag == "br":
            self._end_line()
        elif tag == "img" and (text := (node.attributes.get("alt") or "").strip()):
            self._line.append(f" {text} ")
        elif tag == "input" and node.attributes.get("type") not in ("hidden", "password"):
            self._line.append(f" {node.attributes.get('value') or ''} ")
        elif tag in ("ul", "ol"):
            self._end_line()
            if not self._lists:
                self._parts.append("")
            self._lists.append(_start(node) if tag == "ol" else None)
        elif tag == "li":
            self._end_line()
            self._prefix = "  " * max(len(self._lists) - 1, 0) + self._mark()
        elif tag in HEADINGS:
            self._end_block()
            self._prefix = "#" * HEADINGS[tag] + " "
        elif tag in ("tr", "dt", "dd", "option"):
            self._end_line()
        elif tag in BLOCKS:
            self._end_line() if self._lists else self._end_block()

    def _leave(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            self._end_line()
            if self._lists:
                self._lists.pop()
            if not self._lists:
                self._parts.append("")
        elif tag in ("li", "tr", "dt", "dd", "option"):
            self._end_line()
        elif tag in ("td", "th"):
            self._line.append(" ")
        elif tag in BLOCKS:
            self._end_line() if self._lists and tag not in HEADINGS else self._end_block()

    def _mark(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        number = self._lists[-1]
        self._lists[-1] = number + 1
        return f"{number}. "

    def _end_line(self) -> None:
        text = markdown.line("".join(self._line))
        if text:
            self._parts.append(self._prefix + text)
            self._prefix = ""
        self._line.clear()

    def _end_block(self) -> None:
        self._end_line()
        self._prefix = ""
        self._parts.append("")


def _as_it_stands(root: Any) -> str:
    """The text of preformatted lines."""
    found: list[str] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.tag == "-text":
            found.append(node.text_content or "")
        elif node.tag == "br":
            found.append("\n")
        elif node.tag not in SILENT and not node.tag.startswith(("-", "_", "!")) and not _is_hidden(node):
            each = node.last_child
            while each is not None:
                stack.append(each)
                each = each.prev
    return "".join(found)


def _start(node: Any) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if start.isdecimal() and len(start) < 9 else 1


def _is_hidden(node: Any) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    return "hidden" in attributes or bool(HIDDEN.search(attributes.get("style") or ""))


def _is_layout(table: Any) -> bool:
    """True for tables that only place things: with tables, lists or headings in them, or of one cell."""
    return table.css_first("table table, h1, h2, h3, ul, ol, p + p") is not None or len(table.css("td, th")) < 2


def _rows(table: Any) -> list[list[str]]:
    rows: list[list[str]] = []
    below: dict[tuple[int, int], str] = {}
    shown = (row for row in table.css("tr") if not _is_hidden(row) and not _is_hidden(row.parent))
    for number, row in enumerate(shown):
        cells: list[str] = []
        for cell in row.css("td, th"):
            while (number, len(cells)) in below:
                cells.append(below.pop((number, len(cells))))
            text = markdown.line(_Writer().write(cell)) if not _is_hidden(cell) else ""
            across, down = _span(cell, "colspan"), _span(cell, "rowspan")
            for further in range(1, down):
                for place in range(across):
                    below[number + further, len(cells) + place] = ""
            cells += [text] + [""] * (across - 1)
        rows.append(cells)
    return rows


def _span(cell: Any, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return max(1, min(int(value), 100)) if value.isdecimal() and len(value) < 6 else 1
