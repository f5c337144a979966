"""CSV and its kin as a Markdown table."""

import csv
import re
from collections import Counter
from io import StringIO
from itertools import islice

from broker.documents import decoding, markdown
from broker.documents.document import Extract, Page
from broker.documents.extract import Source

SEPARATORS = "\t;|,"
"""In the order in which they are taken where several would do: commas stand in numbers too."""

SAID = re.compile(r"sep=([^\w\s\"]|\t)\n", re.I)
"""The line in which Excel says it."""

LOOKED_AT = 50
"""Lines by which the separator is told."""


def extract(source: Source) -> Extract:
    """One page; a text that is no table stays as it is."""
    text = decoding.text_of(source.data).strip("\n")
    said_so = SAID.match(text)
    separator = said_so[1] if said_so else separator_of(text)
    text = text[said_so.end() :] if said_so else text
    csv.field_size_limit(source.limits.characters)
    rows = list(csv.reader(StringIO(text), delimiter=separator)) if separator else []
    said = markdown.table(rows) if rows else markdown.neat(text)
    return Extract((Page(1, source.said(said)),))


def separator_of(text: str) -> str | None:
    """What stands between the cells: that which gives the most lines the same number of cells, more than one."""
    best, best_score = None, 0.0
    for separator in SEPARATORS:
        try:
            rows = [row for row in islice(csv.reader(StringIO(text), delimiter=separator), LOOKED_AT) if row]
        except csv.Error:
            continue
        (width, times) = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        score = times / len(rows) if rows and width > 1 else 0.0
        if score > best_score:
            best, best_score = separator, score
    return best
