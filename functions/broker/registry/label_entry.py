"""Labels of prompts: which versions they stand for, and in which shares."""

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field

from broker.jobs.field_errors import Spelled
from broker.prompts.labels import LABELS
from broker.registry.entry import Entry, Name, StrictEntry
from broker.storage import Item


class Arm(StrictEntry):
    """A version's share of a label's traffic."""

    version: int = Field(ge=1)
    weight: int = Field(default=100, ge=1, le=1_000_000)


def _once_each(arms: list[Arm]) -> list[Arm]:
    if len({arm.version for arm in arms}) < len(arms):
        raise ValueError("a version stands twice under the label")
    return arms


Arms = Annotated[list[Arm], Field(max_length=10), AfterValidator(_once_each)]
Label = Annotated[
    str,
    Spelled(
        "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "a label has letters, digits, '.', '_' and '-' (64 characters at most) and begins with a letter or a digit",
    ),
]


class LabelArms(StrictEntry):
    """What one label stands for; without arms it is taken away."""

    arms: Arms


class LabelsEntry(Entry):
    """All labels of one prompt. A request that names neither version nor label gets `production`, if it is there."""

    kind: ClassVar[str] = "LABELS"

    id: Name
    """The prompt's."""
    labels: dict[Label, Annotated[Arms, Field(min_length=1)]] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `prompts.templates` reads it."""
        return {"pk": f"PROMPT#{self.id}", "sk": LABELS, **self.model_dump(include={"labels"})}

    def disabled(self) -> Self:
        """Without labels; the prompt's newest version is then what a request gets."""
        return self.model_copy(update={"labels": {}})
