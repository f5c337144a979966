"""Workbooks: a page for each sheet, its cells as a Markdown table."""

import re
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from broker.documents import markdown
from broker.documents.archives import Archive
from broker.documents.document import BrokenDocument, DocumentError, Extract, Page, TooMuch
from broker.documents.extract import Source

FORMULA_ALONE = re.compile(
    rb"<(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</|</(?:\w+:)?c>)"
)
"""A formula without a value: the workbook was written by a program that does not compute."""


def extract(source: Source) -> Extract:
    """The sheets, hidden ones too: values as they were last computed, and the formula where none was kept."""
    try:
        with source.open() as file, Archive(file, source.limits.unpacked_bytes) as archive:
            sheets = [entry for entry in archive.entries() if "worksheets/" in entry.filename.lower()]
            lacks = any(FORMULA_ALONE.search(archive.read(sheet)) for sheet in sheets)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that the library does not know; they are not asked for
            return _extract(source, lacks)
    except DocumentError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise BrokenDocument("The workbook's sheets cannot be read.") from error


def _extract(source: Source, lacks: bool) -> Extract:
    values = _open(source, data_only=True)
    formulas = _open(source, data_only=False) if lacks else None
    names = [sheet.title for sheet in values.worksheets]
    source.count(len(names))
    pages = []
    left = source.limits.cells
    for number, name in enumerate(names, start=1):
        rows: list[dict[int, str]] = []
        for row in _rows(values[name], formulas[name] if formulas is not None else None):
            left -= len(row)
            if left < 0:
                raise TooMuch(f"The workbook has more than {source.limits.cells} cells.", code="too_many_cells")
            rows.append(row)
        columns = sorted({column for row in rows for column in row})
        if len(columns) * len(rows) > 4 * source.limits.cells:
            raise TooMuch("The workbook's cells lie too far apart.", code="too_many_cells")
        table = markdown.table([row.get(column, "") for column in columns] for row in rows)
        pages.append(Page(number, source.said(markdown.blocks([markdown.heading(name, 2), table]) if table else "")))
    return Extract(tuple(pages))


def _open(source: Source, data_only: bool) -> Any:
    from openpyxl import load_workbook

    return load_workbook(source.path.open("rb"), read_only=True, data_only=data_only, keep_links=False)


def _rows(sheet: Any, formulas: Any | None) -> Iterator[dict[int, str]]:
    """The rows that hold something: the texts of their cells by column."""
    sheet.reset_dimensions()  # what it says of its size may be wrong, and made up
    if formulas is None:
        for row in sheet.iter_rows(values_only=True):
            if found := {
                place: text for place, value in enumerate(row) if value is not None and (text := shown(value))
            }:
                yield found
        return
    formulas.reset_dimensions()
    for row, second in zip(sheet.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=False):
        found = {}
        for place, given in enumerate(second):
            value = row[place] if place < len(row) else None
            if text := shown(given if value is None else value):
                found[place] = text
        if found:
            yield found


def shown(value: Any) -> str:
    """A value as a reader expects it: dates by ISO 8601, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime):
        return str(value.date()) if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return str(getattr(value, "text", value))  # an array formula is an object with its text
