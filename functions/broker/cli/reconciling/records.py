"""Both sides of a bill: a call on record, a charge for a call, and a charge for all calls of a time.

Money is in nano-dollars, time in milliseconds. Tokens in are all of them, those of prompt caches among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self

from broker.clock import NANO, iso, usd
from broker.errors import InvalidRequest

Paid = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Called:
    """A call on record."""

    tenant: str
    job: str
    call: str
    """Run and number."""
    provider: str
    model: str
    """The registered one."""
    name: str
    """What its provider calls it."""
    paid: Paid
    nusd: int
    """What it cost; at most, where it is not known whether it was paid for."""
    started_at: int
    ended_at: int
    """The same as the start, or later; of a call that nobody settled, when it was over at the latest."""
    request_id: str | None = None
    """The provider's own, where it told one."""
    input_tokens: int = 0
    output_tokens: int = 0
    times: int = 1
    """Calls that are kept as one: the id is that of the last."""

    def to_line(self) -> dict[str, Any]:
        """As a file of calls has it."""
        known = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "nusd"}
        return known | {
            "started_at": iso(self.started_at),
            "ended_at": iso(self.ended_at),
            "cost_usd": usd(self.nusd),
        }

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> Self:
        """Read it from there.

        Raises:
            InvalidRequest: it is not such a line.
        """
        known = {name: line[name] for name in cls.__dataclass_fields__ if name in line}
        try:
            times = {name: moment(line[name]) for name in ("started_at", "ended_at")}
            return cls(**known | times, nusd=nano(line["cost_usd"]))
        except (KeyError, TypeError) as error:
            raise InvalidRequest(f"A line of the file of calls is none of ours: {error}.", param="calls") from None


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge for one call. What the file does not tell is None."""

    place: int
    """Its line, or number, in the file, from 1."""
    name: str
    request_id: str | None = None
    job: str | None = None
    """The job, where the provider was told of it (`requestMetadata`)."""
    at: int | None = None
    nusd: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Summed:
    """A charge for all calls of a model from one moment to another. What the file does not tell is None."""

    starts_at: int
    ends_at: int
    """Excluded."""
    name: str | None
    """The model; None for all of the provider's."""
    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    nusd: int | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a file says: charges for calls, or sums."""

    form: str
    """Whose file it is."""
    providers: tuple[str, ...]
    """Of registered models: those that it is a bill of; empty for any."""
    calls: tuple[Charged, ...] = ()
    sums: tuple[Summed, ...] = ()


def nano(amount: Any, factor: int = NANO) -> int:
    """Nano-dollars of an amount as JSON or CSV has it, exactly.

    Raises:
        InvalidRequest: it is no amount.
    """
    try:
        return int((Decimal(str(amount)) * factor).to_integral_value())
    except (InvalidOperation, OverflowError, ValueError):
        raise InvalidRequest(f"{amount!r} is no amount.") from None


def moment(text: Any) -> int:
    """Milliseconds of a time: seconds since the epoch, or ISO 8601, in UTC unless it says another zone.

    Raises:
        InvalidRequest: it is no time.
    """
    try:
        if isinstance(text, int | float) and not isinstance(text, bool):
            return round(text * 1000)
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{text!r} is no time.") from None


_DATED = re.compile(r"(.+?)[-@](?:\d{8}|\d{4}-\d\d-\d\d)")
_PLACED = re.compile(r"(?:us|eu|apac|au|jp|ca|global|us-gov)\.(.+)")


def bare(name: str) -> str:
    """A model's name without what bills and requests have differently: an ARN, a region's profile."""
    last = name.rpartition("/")[2]
    placed = _PLACED.fullmatch(last)
    return placed[1] if placed else last


def is_model(ours: str, theirs: str) -> bool:
    """Whether a bill's name is that of a model, or of the dated version that stands for it."""
    mine, other = bare(ours), bare(theirs)
    dated = _DATED.fullmatch(other)
    return mine == other or (dated is not None and dated[1] == mine)
