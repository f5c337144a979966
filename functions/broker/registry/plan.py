"""What a document would change: compared with what stands, and nothing written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.errors import InvalidRequest
from broker.registry.cross_references import NAMING, NAMING_POLICIES, Names, check_engines, check_references, check_uses
from broker.registry.document import RegistryFile, entry_class, parse_entry
from broker.registry.entry import Entry
from broker.registry.guardrail_entry import GuardrailEntry
from broker.registry.label_entry import Arm
from broker.registry.model_entry import ModelEntry
from broker.registry.odd_prices import odd_prices
from broker.registry.records import Change, Record, check_size, differences
from broker.registry.versions import Registry

Named = tuple[str, str]
"""Kind and id."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in the order in which they are to be written, and what stays."""

    changes: tuple[Change, ...]
    unchanged: tuple[Named, ...] = ()
    unmanaged: tuple[Named, ...] = ()
    """Entries that stand, of the kinds that the document has, and that it does not name."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong in it, and holds all the same."""
        return odd_prices(self.changes)


@dataclass(slots=True)
class _Kind:
    """The entries of one kind as they will stand."""

    registry: Registry
    kind: str
    records: dict[str, Record]
    """What stands, by id. A long content is read where it is looked at."""
    planned: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """Content by id and number of what is to be written."""
    newest: dict[str, int] = field(init=False)
    """Numbers by id, with what is to be written."""

    def __post_init__(self) -> None:
        self.newest = {entry_id: record.version for entry_id, record in self.records.items()}

    def compare(self, entry: Entry) -> Change | None:
        """The change that an entry asks for; None where it stands so.

        Raises:
            InvalidRequest: it is a version that exists, with other words.
        """
        content = entry.content()
        base, before = self.standing(entry.key)
        there = before if entry.number is None else self.version(entry.key, entry.number)
        if there == content:
            return None
        if entry.number is not None and there is not None:
            what = f"{entry.key!r} has a version {entry.number} with other words; give the next number."
            raise InvalidRequest(what, code="prompt_version_exists", param=f"{self.kind}.{entry.key}.version")
        number = entry.number or base + 1
        newest = number > base
        fields = differences(before, content) if base and newest else {}
        return self.plan(Change(self.kind, entry, "changed" if fields else "added", base, number, fields))

    def disable(self, entry_id: str) -> Change | None:
        """The change that takes an entry out of use; None where it is, or where its kind knows no such thing."""
        if not entry_class(self.kind).can_be_disabled:
            return None
        base, before = self.standing(entry_id)
        entry = parse_entry(self.kind, before).disabled()
        fields = differences(before, entry.content())
        if not fields:
            return None
        return self.plan(Change(self.kind, entry, "disabled", base, base + 1, fields))

    def plan(self, change: Change) -> Change:
        """Let what follows see a change.

        Raises:
            InvalidRequest: it is larger than the table takes.
        """
        check_size(change)
        content = change.entry.content()
        self.planned[change.entry.key, change.number] = content
        if change.number > change.base:
            self.newest[change.entry.key] = change.number
        return change

    def standing(self, entry_id: str) -> tuple[int, dict[str, Any]]:
        """Number and content of an entry as it will stand; 0 and nothing where there is none."""
        number = self.newest.get(entry_id, 0)
        return number, (self.version(entry_id, number) or {}) if number else {}

    def version(self, entry_id: str, number: int) -> dict[str, Any] | None:
        """The content of a version, planned or written; None where there is none."""
        if (entry_id, number) in self.planned:
            return self.planned[entry_id, number]
        record = self._record(entry_id, number)
        return None if record is None else record.content

    def shown(self) -> dict[str, dict[str, Any]]:
        """The entries as they will stand, by id, without the texts that lie beside the table."""
        return {
            entry_id: self.planned[entry_id, number]
            if (entry_id, number) in self.planned
            else self.records[entry_id].short
            for entry_id, number in self.newest.items()
        }

    def has(self, entry_id: str, number: int) -> bool:
        """Whether there is a version, planned or written."""
        return (entry_id, number) in self.planned or self._record(entry_id, number) is not None

    def latest(self, entry_id: str) -> int:
        """The number of an entry's newest version, planned or written; 0 where there is none."""
        if entry_id not in self.newest and (record := self.registry.find(self.kind, entry_id)):
            return record.version
        return self.newest.get(entry_id, 0)

    def _record(self, entry_id: str, number: int) -> Record | None:
        record = self.records.get(entry_id)
        if record is None or record.version != number:
            record = self.registry.version(self.kind, entry_id, number)
        return record


def make_plan(registry: Registry, document: RegistryFile, *, prune: bool = False) -> Plan:
    """Compare a document with what stands.

    Args:
        registry: what stands.
        document: what is wanted; kinds that it does not have are left alone.
        prune: disable what stands and is not in the document, as far as its kind can be disabled.

    Raises:
        InvalidRequest: an entry stands twice, names what does not exist, or gives a prompt's version other words.
    """
    wanted = document.by_kind()
    kinds = {kind: _read(registry, kind) for kind in dict.fromkeys([*wanted, *NAMING])}
    changes: list[Change] = []
    unchanged: list[Named] = []
    unmanaged: list[Named] = []
    for kind, entries in wanted.items():
        known = kinds[kind]
        before = list(known.newest)
        for entry in _single(kind, entries):
            change = known.compare(entry)
            changes += [change] if change else []
            unchanged += [] if change else [(kind, entry.key)]
        for entry_id in sorted({*before} - {entry.key for entry in entries}):
            change = known.disable(entry_id) if prune else None
            changes += [change] if change else []
            unmanaged += [] if change else [(kind, entry_id)]
    names = _names(registry, kinds)
    for kind, entries in wanted.items():
        for place, entry in enumerate(entries):
            check_references(entry, names, f"{kind}.{place}.")
    _check_uses(registry, kinds, changes)
    return Plan(tuple(changes), tuple(dict.fromkeys(unchanged)), tuple(unmanaged))


def plan_entry(registry: Registry, kind: str, entry: Entry) -> Change | None:
    """The change that one entry asks for; None where it stands so.

    Raises:
        InvalidRequest: it names what does not exist, or gives a prompt's version other words.
    """
    return _compare_one(registry, _read_for(registry, kind), kind, entry)


def plan_label(registry: Registry, prompt_id: str, label: str, arms: Sequence[Arm]) -> Change | None:
    """The change that points one label of a prompt to versions; None where it does.

    Args:
        registry: what stands.
        prompt_id: the prompt.
        label: the label; the prompt's others stay.
        arms: the versions and their shares; none to take the label away.

    Raises:
        NotFound: there is no such prompt.
        InvalidRequest: the label is none, or the prompt has no such version.
    """
    registry.get("prompts", prompt_id)
    kinds = _read_for(registry, "labels")
    _, before = kinds["labels"].standing(prompt_id)
    labels = {name: kept for name, kept in before.get("labels", {}).items() if name != label}
    if arms:
        labels[label] = [arm.model_dump() for arm in arms]
    elif label not in before.get("labels", {}):
        return None
    entry = parse_entry("labels", {"id": prompt_id, "labels": labels})
    return _compare_one(registry, kinds, "labels", entry)


def plan_rollback(registry: Registry, kind: str, entry_id: str, version: int) -> Change | None:
    """The change that gives an entry the content of an older version; None where it has that.

    Raises:
        NotFound: no such kind, entry or version.
        InvalidRequest: what was valid then is not valid any more; the message names the field.
    """
    stands, wanted = registry.get(kind, entry_id), registry.get(kind, entry_id, version)
    fields = differences(stands.content, wanted.content)
    if not fields:
        return None
    entry = parse_entry(kind, wanted.content)
    kinds = _read_for(registry, kind)
    change = kinds[kind].plan(Change(kind, entry, "rolled_back", stands.version, stands.version + 1, fields))
    check_references(entry, _names(registry, kinds))
    _check_uses(registry, kinds, [change])
    return change


def _compare_one(registry: Registry, kinds: Mapping[str, _Kind], kind: str, entry: Entry) -> Change | None:
    change = kinds[kind].compare(entry)
    if change is not None:
        check_references(entry, _names(registry, kinds))
        _check_uses(registry, kinds, [change])
    return change


def _check_uses(registry: Registry, kinds: Mapping[str, _Kind], changes: Sequence[Change]) -> None:
    """Check that whoever names a policy or an engine keeps it.

    What names policies is read only where one is taken out of use.
    """
    models = frozenset(each.entry.key for each in changes if isinstance(each.entry, ModelEntry))
    if models:
        check_engines(models, kinds["guardrails"].shown(), _names(registry, kinds))
    gone = {each.entry.key for each in changes if isinstance(each.entry, GuardrailEntry) and not each.entry.enabled}
    for kind in NAMING_POLICIES if gone else ():
        check_uses(gone, kind, (kinds.get(kind) or _read(registry, kind)).shown())


def _read_for(registry: Registry, kind: str) -> dict[str, _Kind]:
    """A kind, and what is needed to check names."""
    return {each: _read(registry, each) for each in dict.fromkeys([kind, *NAMING])}


def _read(registry: Registry, kind: str) -> _Kind:
    return _Kind(registry, kind, registry.all(kind))


def _names(registry: Registry, kinds: Mapping[str, _Kind]) -> Names:
    prompts = kinds.get("prompts", _Kind(registry, "prompts", {}))
    contents = {each: {name: kinds[each].standing(name)[1] for name in kinds[each].newest} for each in NAMING}
    return Names.of(contents, prompts.has, prompts.version, prompts.latest)


def _single(kind: str, entries: list[Entry]) -> Iterator[Entry]:
    """The entries, if none stands twice; versions of one prompt may stand side by side."""
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        if entry.number is None and entry.key in seen:
            param = f"{kind}.{place}"
            raise InvalidRequest(f"{param}: {entry.key!r} stands twice.", code="duplicate_entry", param=param)
        seen.add(entry.key)
        yield entry
