"""Plain text and Markdown: as it is, a page for each form feed."""

from broker.documents import decoding, markdown
from broker.documents.document import Extract, Page
from broker.documents.extract import Source


def extract(source: Source) -> Extract:
    """The text; a form feed begins a page."""
    text = decoding.text_of(source.data)
    parts = text.strip("\f").split("\f")
    source.count(len(parts))
    pages = (Page(number, source.said(markdown.neat(part))) for number, part in enumerate(parts, start=1))
    return Extract(tuple(pages))
