"""CSV and its kin as a Markdown table."""

import csv
from collections import Counter
from io import StringIO
from itertools import islice

from broker.documents import decoding, markdown
from broker.documents.document import Extract, Page
from broker.documents.extract import Source

SEPARATORS = ",;\t|"
LOOKED_AT = 50
"""Lines by which the separator is told."""


def extract(source: Source) -> Extract:
    """One page; a text that is no table stays as it is."""
    text = decoding.text_of(source.data).strip("\n")
    separator = separator_of(text)
    csv.field_size_limit(source.limits.characters)
    rows = list(csv.reader(StringIO(text), delimiter=separator)) if separator else []
    said = markdown.table(rows) if rows else markdown.neat(text)
    return Extract((Page(1, source.said(said)),))


def separator_of(text: str) -> str | None:
    """What stands between the cells: that which gives the most lines the same number of cells, more than one.

    Excel's own `sep=;` as first line is not asked for; its line is a row like any.
    """
    best, best_score = None, 0.0
    for separator in SEPARATORS:
        try:
            rows = [row for row in islice(csv.reader(StringIO(text), delimiter=separator), LOOKED_AT) if row]
        except csv.Error:
            continue
        (width, times) = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        score = times / len(rows) * (1 + width / 1000) if rows and width > 1 else 0.0
        if score > best_score:
            best, best_score = separator, score
    return best
