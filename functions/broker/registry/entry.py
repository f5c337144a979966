"""What every kind of entry is: strict, named, with a stored form for its readers and a plain form that is compared."""

from abc import ABC, abstractmethod
from datetime import date
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from broker.jobs.exact import Exact
from broker.jobs.field_errors import Spelled, here
from broker.prompts.texts import Apart
from broker.storage import Item

Name = Annotated[
    str,
    Spelled(
        "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$",
        "it has to be a name of letters, digits, '.', '_', ':' and '-' (128 characters at most) that begins with a "
        "letter or a digit",
    ),
]
"""An id that stands in a path as it is."""

TenantId = Annotated[
    str,
    Spelled(
        "^[a-z0-9][a-z0-9-]{0,62}$",
        "it has to be a tenant's id of small letters, digits and '-' (63 characters at most) that begins with a letter "
        "or a digit",
    ),
]
PolicyNames = Annotated[list[Name], Field(max_length=8)]
"""Ids of guardrail policies: so few, for they travel with each job that they hold for."""
Usd = Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]


def _text(day: Any) -> Any:
    return day.isoformat() if isinstance(day, date) else day


A_DAY = "it has to be a day such as 2026-11-29"


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise here(A_DAY) from None
    return text


Day = Annotated[str, Spelled(r"^\d{4}-\d\d-\d\d$", A_DAY), BeforeValidator(_text), AfterValidator(_day)]
"""ISO 8601; YAML's own dates will do."""


class StrictEntry(Exact):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Entry(StrictEntry, ABC):
    """One thing that is registered, as the document has it."""

    kind: ClassVar[str]
    """Begins the partition of its versions: `MODEL#id`."""
    can_be_disabled: ClassVar[bool] = True

    @property
    @abstractmethod
    def key(self) -> str:
        """Its id among the entries of its kind."""

    @property
    def number(self) -> int | None:
        """The version that the document gives it; None where the registry counts."""
        return None

    @abstractmethod
    def item(self) -> Item:
        """The record that the functions read, without its version."""

    def apart(self) -> Apart | None:
        """Fields too long for the table, which lie beside it; None for most, and for most kinds always."""
        return None

    def content(self) -> dict[str, Any]:
        """What is compared, kept with each version and shown: the fields that are not the default."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def disabled(self) -> Self:
        """The same, out of use; only for kinds that can be."""
        return self.model_copy(update={"enabled": False})
