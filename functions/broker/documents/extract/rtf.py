"""Rich Text Format: its text with notes, boxes, headers and footers, a page for each page break that the author set."""

import re
from collections.abc import Iterator

from broker.documents import decoding, markdown
from broker.documents.document import BrokenDocument, Extract, Page
from broker.documents.extract import Source

MARK = "\ue000"
"""Stands for a page break while the text is read."""

WORD = r"(?<!\\)((?:\\\\)*)\\{}(?![a-z0-9]) ?"
"""A control word; before it, backslashes that are text stand in pairs."""

PAGE = re.compile(WORD.format("(?:page|pagebb)"))
SECTION = re.compile(WORD.format("sect"))
SAME_PAGE = re.compile(r"\\sbk(?:none|col)(?![a-z])")
SECTION_BEGIN = 500
"""Characters after a section in which the next says how it begins."""

BINARY = re.compile(r"\\bin([0-9]{1,9})(?![0-9]) ?")

NOTE = re.compile(r"\{(?:\\\*)?\\footnote(?![a-z0-9])(?:\\ftnalt)? ?")
LONGEST_NOTE = 50_000

READ = re.compile(WORD.format(r"(?:\*\\)?(?:header[flr]?|footer[flr]?|shp|shpinst|shptxt)"))
"""Groups that are taken for no text by what reads them, and are."""

UNSEEN = {name: re.compile(WORD.format(name)) for name in ("deleted", "v")}
"""What was deleted, and hidden; most programs give it a group of its own, which then can be passed over."""


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
    raw = _prepared("".join(_without_binaries(data.decode("latin-1"))))
    try:
        said: str = striprtf.rtf_to_text(raw, errors="replace")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise BrokenDocument("The file cannot be read as RTF.") from error
    joined = said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # \u writes pairs one by one
    return decoding.tidy(joined)


def _without_binaries(raw: str) -> Iterator[str]:
    """All but pictures that stand in it byte by byte, among which there may be braces."""
    at = 0
    while found := BINARY.search(raw, at):
        yield raw[at : found.start()]
        at = found.end() + int(found[1])
    yield raw[at:]


def _prepared(raw: str) -> str:
    """With marks for page breaks, and all that is text where it is read as such."""
    sign = rf"\u{ord(MARK) - 0x10000}?"
    raw = PAGE.sub(lambda found: found[1] + sign, raw)
    raw = SECTION.sub(lambda found: found[1] + r"\par " + ("" if _stays(raw, found.end()) else sign), raw)
    raw = "".join(_with_notes(raw))
    for name, word in UNSEEN.items():
        if f"\\{name}0" not in raw:
            raw = word.sub(lambda found, name=name: rf"{found[1]}\*\{name} ", raw)  # type: ignore[misc]
    return READ.sub(lambda found: found[1] + r"\par ", raw)


def _stays(raw: str, at: int) -> bool:
    following = raw[at : at + SECTION_BEGIN]
    end = SECTION.search(following)
    return bool(SAME_PAGE.search(following, 0, end.start() if end else len(following)))


def _with_notes(raw: str) -> Iterator[str]:
    """Notes in brackets, where their mark stands."""
    at = 0
    while found := NOTE.search(raw, at):
        end = _end_of_group(raw, found.end())
        yield raw[at : found.start()] + "{ ["
        yield raw[found.end() : end] + "]"
        at = end
    yield raw[at:]


def _end_of_group(raw: str, at: int) -> int:
    depth = 1
    for found in re.finditer(r"\\.|[{}]", raw[at : at + LONGEST_NOTE], re.S):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return at + found.start()
    return min(at + LONGEST_NOTE, len(raw))
