"""Prompt templates (table `registry`, pk `PROMPT#id`, sk `V#0001`; `LATEST` names the newest version).

An item has `version`, `description`, a `system` and a `user` part (in one of the forms of `prompts.texts`), and as JSON
texts, for the tables hold no fractions: `variables`, `hints`, `output_schema`, `postprocess`. `registry.prompts` writes
them. A template that declares no variables takes a text for each `{{place}}`.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.errors import InvalidRequest, NotFound
from broker.prompts.engine import Node, Schema, parse, places, render
from broker.prompts.labels import LABELS, PRODUCTION, choose
from broker.prompts.marking import Marker
from broker.prompts.texts import Texts, read
from broker.prompts.variables import checked, columns_fault
from broker.storage import Database, Item

KEEP_MS = 30_000
"""How long a change of a label, or a new version, may take to show."""

MOST_KEPT = 64
"""Templates that a process keeps in memory."""

MOST_KEPT_CHARS = 8_000_000
"""Of the texts of all that it keeps: the functions that fill prompts have 256 MB."""


@dataclass(frozen=True, slots=True)
class Template:
    """One version. `hints` are `{"model"?, "parameters"?, "require"?}` for what a request leaves open."""

    version: int
    source: dict[str, str]
    """The parts by role, as written."""
    parts: dict[str, tuple[Node, ...]]
    variables: Mapping[str, Schema]
    hints: dict[str, Any]
    output_schema: dict[str, Any] | None
    guardrails: tuple[str, ...] = ()
    """The policies that hold for what is filled from it."""
    postprocess: dict[str, Any] | None = None
    """What is done to answers (`postprocessing.processing`)."""

    @classmethod
    def of(cls, item: Item, store: Texts) -> "Template":
        """Read the stored form.

        Raises:
            Unavailable: its texts lie in the store, and cannot be read.
        """
        source = read(item, store)
        parts = {role: parse(text) for role, text in source.items()}
        if "variables" in item:
            variables = json.loads(item["variables"])
        else:
            variables = {name: {"type": "string"} for nodes in parts.values() for name in places(nodes)}
        hints = json.loads(item.get("hints", "{}"))
        schema = json.loads(item["output_schema"]) if "output_schema" in item else None
        policies = tuple(item.get("guardrails", ()))
        rules = json.loads(item["postprocess"]) if "postprocess" in item else None
        return cls(item.get("version", 1), source, parts, variables, hints, schema, policies, rules)

    @property
    def size(self) -> int:
        """Characters of the texts."""
        return sum(map(len, self.source.values()))


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values: messages to put before the request's own, and which version it was."""

    messages: list[dict[str, str]]
    used: dict[str, Any]
    """`{"id", "version", "label"}`, as the job keeps it; `label` is None where the version was named."""
    hints: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    guardrails: tuple[str, ...] = ()
    postprocess: dict[str, Any] | None = None


class Prompts:
    """The templates of the deployment. Versions never change and are kept in memory; labels for half a minute."""

    def __init__(self, database: Database, store: Texts) -> None:
        self._database = database
        self._store = store
        self._versions: dict[tuple[str, int], Template] = {}
        self._current: dict[tuple[str, str], tuple[int, Item | None]] = {}

    def fill(self, wanted: Mapping[str, Any], key: str, now: int) -> Filled:
        """Fill a template.

        Args:
            wanted: `{"id", "version"?, "label"?, "variables"?}` of the request.
            key: what an arm is chosen by, where a label divides the traffic.
            now: milliseconds.

        Raises:
            NotFound: there is no such template, version or label.
            InvalidRequest: a variable is missing, superfluous or not as declared; the message names it.
            Unavailable: the template's text lies beside the table, and cannot be read.
        """
        template, label = self._find(wanted, key, now)
        values = checked(template.variables, wanted.get("variables", {}))
        marker = Marker(json.dumps([wanted["id"], template.version, template.source]), values)
        scope = (values, template.variables)
        texts = {role: render(nodes, scope, marker) for role, nodes in template.parts.items()}
        if marker.used:
            texts = {"system": "\n\n".join(filter(None, [texts.pop("system", ""), marker.rule])), **texts}
        messages = [{"role": role, "content": text} for role, text in texts.items()]
        used = {"id": wanted["id"], "version": template.version, "label": label}
        facts = template.hints, template.output_schema, template.guardrails, template.postprocess
        return Filled(messages, used, *facts)

    def check(self, wanted: Mapping[str, Any], now: int) -> None:
        """Look whether there is such a template, version or label, before there are values for it.

        Raises:
            NotFound: there is none.
        """
        self._find(wanted, "", now)

    def check_columns(self, wanted: Mapping[str, Any], names: Collection[str], now: int) -> None:
        """Hold the columns of a table of texts against a template: each row would be filled from values by these names.

        Where a label divides its traffic, it is enough that one of its versions takes them.

        Raises:
            NotFound: there is no such template, version or label.
            InvalidRequest: no row could be filled; the message names the columns and variables at fault.
        """
        label = wanted.get("label") or PRODUCTION
        arms = (self._item(wanted["id"], LABELS, now) or {}).get("labels", {}).get(label, ())
        versions = [] if "version" in wanted else [arm["version"] for arm in arms]
        found = [self.version(wanted["id"], each) for each in versions] or [self._find(wanted, "", now)[0]]
        faults = [columns_fault(template.variables, names) for template in found]
        if all(faults):
            raise InvalidRequest(str(faults[0]), code="invalid_header", param="format.header")

    def _find(self, wanted: Mapping[str, Any], key: str, now: int) -> tuple[Template, str | None]:
        prompt_id, version, label = wanted["id"], wanted.get("version"), None
        if version is None:
            label = wanted.get("label")
            labels = (self._item(prompt_id, LABELS, now) or {}).get("labels", {})
            if label is None and PRODUCTION in labels:
                label = PRODUCTION
            if label is not None:
                if label not in labels:
                    raise NotFound("The prompt has no such label.", code="unknown_label", param="prompt.label")
                version = choose(prompt_id, label, labels[label], key)
        if version is None:
            item = self._item(prompt_id, "LATEST", now)
            if item is None:
                raise _unknown()
            return self.version(prompt_id, item.get("version", 1), item), None
        return self.version(prompt_id, version), label

    def version(self, prompt_id: str, version: int, item: Item | None = None) -> Template:
        """A version; with the `item` there is nothing to read of the table.

        Raises:
            NotFound: there is none.
            Unavailable: its text lies beside the table, and cannot be read.
        """
        found = self._versions.get((prompt_id, version))
        if found is None:
            item = item or self._database.get("registry", f"PROMPT#{prompt_id}", f"V#{version:04}")
            if item is None:
                raise _unknown()
            found = self._versions[prompt_id, version] = Template.of(item, self._store)
            while len(self._versions) > MOST_KEPT or self._size() > MOST_KEPT_CHARS:
                del self._versions[next(iter(self._versions))]
        return found

    def _size(self) -> int:
        return sum(template.size for template in self._versions.values())

    def _item(self, prompt_id: str, sk: str, now: int) -> Item | None:
        read_at, item = self._current.get((prompt_id, sk), (-KEEP_MS, None))
        if now - read_at >= KEEP_MS:
            item = self._database.get("registry", f"PROMPT#{prompt_id}", sk)
            if item is not None or sk == LABELS:  # most prompts have no labels; one that is missing may be on its way
                self._current[prompt_id, sk] = (now, item)
            if len(self._current) > MOST_KEPT:
                del self._current[next(iter(self._current))]
        return item


def _unknown() -> NotFound:
    return NotFound("There is no such prompt or version.", code="unknown_prompt", param="prompt.id")


def arm_key(tenant: str, document: Mapping[str, Any], now: int) -> str:
    """What a request's arm is chosen by: its `metadata.routing_key`, else its conversation, else chance."""
    if chosen := document.get("metadata", {}).get("routing_key"):
        return f"key\n{chosen}"
    if conversation := document.get("conversation_id"):
        return f"conversation\n{tenant}\n{conversation}"
    return f"job\n{now}\n{os.urandom(8).hex()}"


def apply_hints(document: dict[str, Any], filled: Filled) -> dict[str, Any]:
    """A stored request with what it leaves open filled in from the template, and what it has no say in."""
    hints, changed = filled.hints, dict(document)
    if "model" in hints and "fallbacks" not in document.get("routing", {}):
        changed.setdefault("model", hints["model"])
    if "parameters" in hints:
        changed["parameters"] = hints["parameters"] | document.get("parameters", {})
    if "require" in hints:
        routing = document.get("routing", {})
        require = dict.fromkeys([*routing.get("require", []), *hints["require"]])
        changed["routing"] = routing | {"require": list(require)}
    if filled.output_schema is not None:
        changed.setdefault("output_schema", filled.output_schema)
    if filled.postprocess is not None:
        changed["postprocess"] = [filled.postprocess]
    return changed
