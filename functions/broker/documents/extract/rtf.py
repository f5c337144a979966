"""Rich Text Format: its text, a page for each page break that the author set."""

import re

from broker.documents import decoding, markdown
from broker.documents.document import BrokenDocument, Extract, Page
from broker.documents.extract import Source

BREAK = re.compile(r"\\(?:page|pagebb|sbkpage)(?![a-z0-9]) ?")
MARK = "\ue000"
"""Stands for a page break while the text is read."""


def extract(source: Source) -> Extract:
    """The text; tables have bars between their cells."""
    parts = text_of(source.data).split(MARK)
    source.count(len(parts))
    pages = (Page(number, source.said(markdown.neat(part))) for number, part in enumerate(parts, start=1))
    return Extract(tuple(pages))


def text_of(data: bytes) -> str:
    """The text of an RTF file, with `MARK` for page breaks.

    Raises:
        BrokenDocument: it cannot be read as one.
    """
    from striprtf import striprtf

    # RTF is ASCII; letters that were put into it as they are have the code page that it names.
    raw = data.decode("latin-1")
    raw = BREAK.sub(rf"\\u{ord(MARK) - 0x10000}?", raw)
    try:
        said: str = striprtf.rtf_to_text(raw, errors="replace")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise BrokenDocument("The file cannot be read as RTF.") from error
    joined = said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # \u writes pairs one by one
    return decoding.tidy(joined)
