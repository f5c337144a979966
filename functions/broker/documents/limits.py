"""How much a file may be, and how much of us it may take."""

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Limits:
    """For one file with all that is inside of it, unless it says otherwise."""

    bytes: int = 100_000_000
    """Of the file as it comes."""
    pages: int = 5_000
    characters: int = 20_000_000
    """Of its text."""
    seconds: float = 120.0
    """From the begin of its reading to the end of the last file inside."""
    memory_mb: int = 1_536
    """Address space of the process that reads it."""
    depth: int = 3
    """How deep files may lie inside of files: a mail in a mail in an archive is 2."""
    files: int = 500
    """Inside of one file, at all depths."""
    unpacked_bytes: int = 400_000_000
    """Of what a compressed file holds, by what its directory says and by what is really read."""
    pixels: int = 120_000_000
    """Of one picture, before it is decoded."""
    scans: int = 200
    """Pages that are read from pictures."""
    gathered: int = 0
    """Pages of one file that go to their reader together, in one PDF: of these there may be more. 0 where each goes by
    itself."""
    gathered_bytes: int = 200_000_000
    """Of the PDFs of such pages: what a function holds in its memory, and less than services take."""
    cells: int = 2_000_000
    """Of the sheets of one workbook."""

    def facts(self) -> dict[str, Any]:
        """As JSON, for the process that reads the file."""
        return asdict(self)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """Read what `facts` gave."""
        return cls(**facts)
