"""What came of a document's earlier stages: read from its jobs once, and kept beside what was read until it ends.

A stage is planned by all that came before it. Without this, each would read every job of all stages before: of a
document that is refined in two hundred steps, twenty thousand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.batches.batch import Batch
from broker.batches.documents.children import Child, Children

STEPS = "steps"
"""Under this name all stages of one row are kept together, so that a plan reads few objects whatever their number."""

Facts = dict[str, list[dict[str, Any]]]
"""Children by stage, as JSON."""


class Kept(Protocol):
    """Where they are kept; see `submitting.Readings`."""

    def load_ended(self, batch_id: str, name: str) -> Facts:
        """What was kept under a name; nothing where nothing was."""
        ...

    def keep_ended(self, batch_id: str, name: str, facts: Facts) -> None:
        """Keep it; again overwrites."""
        ...


@dataclass(slots=True)
class Earlier:
    """The stages of a document that were laid out, all of whose rows have ended."""

    stages: list[list[Child]]
    """In order."""
    again: bool
    """True where some are as they were kept; what they cost may have been settled since."""
    _more: dict[str, Facts] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch, children: Children, kept: Kept) -> "Earlier":
        """Read them: what is kept, and of the others their jobs."""
        known: dict[str, Facts] = {}
        more: dict[str, Facts] = {}
        found: list[list[Child]] = []
        again = False
        for name, place in _places(batch):
            if place not in known:
                known[place] = kept.load_ended(batch.id, place)
            if name in known[place]:
                found.append([Child.of(facts) for facts in known[place][name]])
                again = True
                continue
            found.append(list(children.of_stage(batch, name)))
            known[place][name] = [child.facts() for child in found[-1]]
            more[place] = known[place]
        return cls(found, again, more)

    def keep(self, batch: Batch, kept: Kept) -> None:
        """Keep what was read of jobs, for the stages that follow."""
        for place, facts in self._more.items():
            kept.keep_ended(batch.id, place, facts)


def names_of(batch: Batch) -> list[str]:
    """The names under which something may be kept of a document."""
    return list(dict.fromkeys(place for _, place in _places(batch)))


def _places(batch: Batch) -> Iterator[tuple[str, str]]:
    stages: list[tuple[str, Mapping[str, Any]]] = sorted(batch.stages.items(), key=lambda pair: int(pair[1]["shard"]))
    return ((name, name if int(stage["rows"]) > 1 else STEPS) for name, stage in stages)
