"""Prompt templates."""

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from broker.registry.entry import Entry, Name
from broker.storage import Item


class PromptEntry(Entry):
    """One version of a prompt template; jobs may name it by its number, so a version never changes."""

    kind: ClassVar[str] = "PROMPT"

    id: Name
    version: int | None = Field(default=None, ge=1)
    """Without it, other words than the newest version's make the next one."""
    system: str | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.system and not self.user:
            raise ValueError("system or user is needed")
        return self

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    @property
    def number(self) -> int | None:
        """See `Entry.number`."""
        return self.version

    def item(self) -> Item:
        """The newest version, as `prompts.templates` reads it; the others are the records of the versions."""
        parts = self.model_dump(exclude_none=True, exclude={"id", "version"})
        return {"pk": f"PROMPT#{self.id}", "sk": "LATEST", **parts}

    def content(self) -> dict[str, Any]:
        """See `Entry.content`; the number is the record's."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"version"})

    def disabled(self) -> Self | None:
        """A prompt stays: jobs may name its versions."""
        return None
