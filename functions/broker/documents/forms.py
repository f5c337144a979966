"""What a service found on pages beside text, written as a page's text is: tables as Markdown, forms as `key: value`."""

from collections.abc import Iterable, Mapping
from typing import Any

from broker.documents import decoding, markdown

Layout = Iterable[Mapping[str, Any]]
"""As answers of the task `extract_text` have it: `{"page", "items"}`, in reading order."""


def pages_of(layout: Layout, *, with_scores: bool = False) -> dict[int, str]:
    """The text of each page, by its number in what was read.

    Args:
        layout: of the answer.
        with_scores: True for how sure the service is behind each field, where answers are merged by that.
    """
    return {int(page["page"]): _page(page["items"], with_scores) for page in layout}


def _page(items: Iterable[Mapping[str, Any]], with_scores: bool) -> str:
    """Lines that follow each other are a paragraph, fields a block; a table stands apart."""
    blocks: list[str] = []
    lines: list[str] = []
    before = ""
    for item in items:
        kind = "table" if "table" in item else "field" if "key" in item else "text"
        if lines and kind != before:
            blocks.append("\n".join(lines))
            lines = []
        if kind == "table":
            blocks.append(markdown.table(item["table"]))
        else:
            lines.append(_field(item, with_scores) if kind == "field" else str(item["text"]))
        before = kind
    blocks.append("\n".join(lines))
    return markdown.neat(decoding.tidy(markdown.blocks(blocks)))


def _field(item: Mapping[str, Any], with_scores: bool) -> str:
    said = f"{str(item['key']).strip().rstrip(':')}: {item['value']}"
    return f"{said.rstrip()} (confidence {item['score']:.2f})" if with_scores else said.rstrip()
