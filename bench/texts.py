"""What the bench's jobs say: texts of different kinds, for no text packs like all others.

A job's price depends on how well its text packs: a kilobyte of a table's item is a write unit. So each kind has a file
in `texts/`, of our own writing: prose, code, a table, and two scripts that are not Latin.
"""

from functools import cache
from pathlib import Path

TEXT_BYTES = 2048

FOLDER = Path(__file__).with_name("texts")


@cache
def texts() -> dict[str, str]:
    """The beginning of each text, of `TEXT_BYTES` in UTF-8 (less where a letter would be cut), by its kind."""
    paths = sorted(FOLDER.glob("*.txt"))
    return {path.stem: path.read_bytes()[:TEXT_BYTES].decode(errors="ignore") for path in paths}
