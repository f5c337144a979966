"""Bytes as text, in whatever encoding they are."""

import codecs
import re

from broker.documents.document import BrokenDocument
from broker.encodings import known

MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; that of UTF-32-LE begins with that of UTF-16-LE, so it stands first."""

SAMPLE_BYTES = 64_000
"""Of a text without a mark that is looked at to guess its encoding."""

CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""What no text has, but for the escape of ISO-2022."""

SHIFTS = re.compile(rb"\x1b\$[@B]")
"""By which ISO-2022-JP goes over to Japanese; all else in it is ASCII."""

MOST_CONTROLS = 0.02
"""Of bytes; above, it is no text."""

UNSURE = 0.1
"""Below, a guess by letters is no better than the next."""

NEAR = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "mac_roman")
"""What short texts of European languages are in, the most common first."""

MIXED = re.compile(r"[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")
UNMIXED = re.compile(r"(?<![A-Za-z\u0370-\u04ff])[\u0370-\u04ff]{2,}(?![A-Za-z\u0370-\u04ff])")

TIDY = {**dict.fromkeys((*range(9), *range(14, 32), 0x7F, 0xFEFF)), 0x0B: "\n"}
LINE_ENDS = re.compile(r"\r\n?|\x85|\u2028|\u2029")


def text_of(data: bytes, declared: str | None = None) -> str:
    """The text of a file, with line feeds for all kinds of line ends and without control characters.

    Args:
        data: the file.
        declared: the encoding that the file, or who sent it, says it has; believed where it fits.

    Raises:
        BrokenDocument: it is no text in any encoding.
    """
    return tidy(_decoded(data, declared))


def tidy(text: str) -> str:
    """Line feeds for all kinds of line ends; no control characters but tabs and page breaks; no lone surrogates."""
    text = LINE_ENDS.sub("\n", text).translate(TIDY)
    return text.encode("utf-8", "replace").decode() if _has_surrogates(text) else text


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _decoded(data: bytes, declared: str | None) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if SHIFTS.search(data[:SAMPLE_BYTES]) and (text := _as(data, "iso2022_jp")) is not None:
        return text
    wide = _wide(data)
    for named in (declared, wide, "utf-8"):
        if named and (text := _as(data, named)) is not None:
            return text
    if is_binary(data):
        raise BrokenDocument("The file is no text in any encoding that is known.")
    return _guessed(data)


def is_binary(data: bytes) -> bool:
    """True for what is no text: too many control characters, in no encoding of two or four bytes."""
    sample = data[:SAMPLE_BYTES]
    if any(sample.startswith(mark) for mark, _ in MARKS) or _wide(sample):
        return False
    return len(CONTROLS.findall(sample)) > MOST_CONTROLS * len(sample)


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by its zeros: at every second place, or at three of four."""
    sample = data[: SAMPLE_BYTES // 4 * 4]
    if len(sample) < 4 or not sample.count(0):
        return None
    places = [sample[start::4].count(0) * 4 / len(sample) for start in range(4)]
    high, low = 0.6, 0.05
    patterns = (
        ("utf-32-le", (0, 1, 1, 1)),
        ("utf-32-be", (1, 1, 1, 0)),
        ("utf-16-le", (0, 1, 0, 1)),
        ("utf-16-be", (1, 0, 1, 0)),
    )
    for encoding, pattern in patterns:
        if all(share > high if zero else share < low for share, zero in zip(places, pattern, strict=True)):
            return encoding
    return None


def _as(data: bytes, encoding: str) -> str | None:
    name = known(encoding)
    if name is None:
        return None
    try:
        return data.decode(name)
    except (UnicodeError, ValueError):
        return None


def _guessed(data: bytes) -> str:
    """By how often letters stand beside each other in languages; of short texts, by what is no noise."""
    import chardet
    from charset_normalizer import from_bytes

    sample = data[:SAMPLE_BYTES]
    found = chardet.detect(sample)
    encoding, sure = found["encoding"], found["confidence"] or 0.0
    if not encoding or sure < UNSURE:
        quiet = [match for match in from_bytes(sample, cp_isolation=list(NEAR)) if not match.chaos]
        could_be = [name for match in quiet for name in match.could_be_from_charset]
        encoding = next((name for name in NEAR if name in could_be), None) or encoding or NEAR[0]
    if _mixes_scripts(sample.decode(encoding, "replace")):
        encoding = NEAR[0]
    return data.decode(encoding, "replace")


def _mixes_scripts(text: str) -> bool:
    """True where Greek or Cyrillic letters stand in Latin words more often than by themselves: accents were meant."""
    return len(MIXED.findall(text)) > len(UNMIXED.findall(text))
