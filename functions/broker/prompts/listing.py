"""The prompts that there are, as clients are told of them: what a run takes, and nothing of their texts.

They are read from the heads of the registry's entries (`registry.versions`), in order of their ids.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.prompts.engine import parse, places
from broker.prompts.labels import PRODUCTION
from broker.prompts.templates import Prompts
from broker.prompts.texts import ROLES
from broker.storage import Database, Item

PROMPTS, LABELS = "ENTRIES#PROMPT", "ENTRIES#LABELS"

MOST_LISTED = 100
"""On a page."""

HIDDEN = ("trusted",)
"""What of a variable is for operators alone: which texts are taken for instructions."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Lists the prompts of the deployment."""

    database: Database
    prompts: Prompts

    def __call__(self, may_run: Callable[[str, str], bool], *, limit: int, after: str | None) -> dict[str, Any]:
        """A page of prompts.

        Args:
            may_run: whether the caller may run a prompt, which asks for a model or alias; others are left out, so a
                page may be short and still have a `next_cursor`.
            limit: prompts on a page.
            after: the id of the last one before it; None for the first page.

        Raises:
            Unavailable: a text, which alone says what is variable in it, lies beside the table and cannot be read.
        """
        heads = self.database.query_since("registry", PROMPTS, f"{after or ''}\0", limit + 1)
        following, heads = heads[limit:], heads[:limit]
        labels = self._labels(heads)
        rows = [row for head in heads if (row := self._row(head, labels.get(head["sk"], {}), may_run))]
        return {"object": "list", "data": rows, "next_cursor": heads[-1]["sk"] if following else None}

    def _labels(self, heads: list[Item]) -> dict[str, dict[str, Any]]:
        if not heads:
            return {}
        found = self.database.query_between("registry", LABELS, heads[0]["sk"], heads[-1]["sk"])
        return {item["sk"]: _entry(item).get("labels", {}) for item in found}

    def _row(self, head: Item, labels: dict[str, Any], may_run: Callable[[str, str], bool]) -> dict[str, Any] | None:
        """One prompt: of the version that a run gets that names none, the larger share's where a label divides."""
        arms = labels.get(PRODUCTION) or [{"version": head["version"], "weight": 1}]
        version = max(arms, key=lambda arm: (arm["weight"], arm["version"]))["version"]
        entry = _entry(head)
        if version == head["version"]:
            hints, variables = entry.get("hints") or {}, self._variables(head, entry)
        else:
            template = self.prompts.version(head["sk"], version)
            hints, variables = template.hints, template.variables
        if not may_run(head["sk"], hints.get("model", "auto")):
            return None
        return {
            "id": head["sk"],
            "object": "prompt",
            "version": version,
            "description": entry.get("description"),
            "labels": {label: [arm["version"] for arm in arms] for label, arms in sorted(labels.items())},
            "variables": {name: _shown(schema) for name, schema in variables.items()},
        }

    def _variables(self, head: Item, entry: dict[str, Any]) -> Mapping[str, Any]:
        if declared := entry.get("variables"):
            return dict(declared)
        if "texts" in head:
            return self.prompts.version(head["sk"], head["version"]).variables
        return {name: {"type": "string"} for role in ROLES for name in _places(entry.get(role))}


def _entry(head: Item) -> dict[str, Any]:
    """An entry as a document has it, without what lies beside the table."""
    text = head["entry"]
    found: dict[str, Any] = json.loads(zlib.decompress(text) if isinstance(text, bytes) else text)
    return found


def _places(text: str | None) -> Iterator[str]:
    yield from places(parse(text)) if text else ()


def _shown(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in HIDDEN}
