"""The issuers that are known, read from `data/issuers/`: one row for each kind of credential."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from broker.guardrails.secrets.forms import Form, form

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True)
class Issuer:
    """One kind of credential: who issues it, what it looks like, and which names stand near if its form says little."""

    id: str
    issuer: str
    written: tuple[str, ...]
    keywords: tuple[str, ...]
    checksum: str | None
    source: str

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Issuer":
        """A row of a table. KeyError for one that is not whole."""
        return cls(
            id=row["id"],
            issuer=row["issuer"],
            written=tuple(row["forms"]),
            keywords=tuple(row.get("keywords", ())),
            checksum=row.get("checksum"),
            source=row["source"],
        )

    @property
    def forms(self) -> tuple[Form, ...]:
        """What is written in the table, read: only where it is looked for. ValueError for what is no form."""
        return tuple(form(text) for text in self.written)


@cache
def issuers() -> tuple[Issuer, ...]:
    """All rows of all tables, in the order of the files' names."""
    tables = sorted((DATA / "issuers").glob("*.json"))
    return tuple(Issuer.from_dict(row) for table in tables for row in json.loads(table.read_text()))


@cache
def secret_words() -> dict[str, tuple[str, ...]]:
    """Names that secrets are given in code, settings and sentences: `password`, `secret` and `weak` ones."""
    rows: dict[str, list[str]] = json.loads((DATA / "secret_words.json").read_text())
    return {strength: tuple(words) for strength, words in rows.items()}
