"""What was filled into a PDF's form, and what was written on its pages as notes of free text."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

from broker.documents import decoding, markdown

WIDGET, FREE_TEXT = 20, 3
"""Of FPDF_ANNOT_*."""

CHECKBOX, RADIO, COMBO, LIST, TEXT = 2, 3, 4, 5, 6
"""Of FPDF_FORMFIELD_*."""

PASSWORD = 1 << 13
"""A field's flag (ISO 32000-1, table 228): what it holds is not shown, and so not read."""

MOST_ANNOTATIONS = 5_000
LONGEST_BYTES = 1 << 20


def filled_in(document: Any, page: Any) -> str:
    """A line for each field that holds something: `name: value`; then the notes."""
    import pypdfium2.raw as raw

    count = min(raw.FPDFPage_GetAnnotCount(page.raw), MOST_ANNOTATIONS)
    form = document.formenv.raw if document.formenv else None
    lines: list[str] = []
    for place in range(count):
        annotation = raw.FPDFPage_GetAnnot(page.raw, place)
        if not annotation:
            continue
        try:
            lines += _lines(raw, form, annotation)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return "\n".join(dict.fromkeys(lines))


def _lines(raw: Any, form: Any, annotation: Any) -> Iterator[str]:
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind == FREE_TEXT:
        text = _string(lambda buffer, size: raw.FPDFAnnot_GetStringValue(annotation, b"Contents", buffer, size))
        yield from filter(None, [markdown.neat(text)])
    elif kind == WIDGET and form:
        field = raw.FPDFAnnot_GetFormFieldType(form, annotation)
        if raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD and field == TEXT:
            return
        label = _string(lambda buffer, size: raw.FPDFAnnot_GetFormFieldAlternateName(form, annotation, buffer, size))
        name = label or _string(lambda buffer, size: raw.FPDFAnnot_GetFormFieldName(form, annotation, buffer, size))
        value = _string(lambda buffer, size: raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))
        if field in (CHECKBOX, RADIO):
            value = (value if field == RADIO else "yes") if raw.FPDFAnnot_IsChecked(form, annotation) else ""
        if field in (CHECKBOX, RADIO, COMBO, LIST, TEXT) and value.strip():
            yield f"{markdown.line(name)}: {markdown.line(value)}" if name.strip() else markdown.line(value)


def _string(read: Callable[[Any, int], int]) -> str:
    """A text that PDFium writes into a buffer, once it was asked how long it is: UTF-16 and two zeros."""
    size = min(read(None, 0), LONGEST_BYTES)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    read(buffer, size)
    return decoding.tidy(bytes(buffer)[: size - 2].decode("utf-16-le", "replace"))
