"""What a comparison finds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from broker.cli.reconciling.records import Called, Charged
from broker.clock import iso, usd

Kind = Literal["missing", "doubled", "priced_differently", "counted_differently", "orphaned", "unknown", "more", "less"]

MEANS: dict[Kind, str] = {
    "missing": "on record as paid for, and not in the file",
    "doubled": "charged more than once",
    "priced_differently": "charged at another amount than is on record",
    "counted_differently": "charged for other tokens than are on record",
    "orphaned": "charged, and no call is on record for it",
    "unknown": "nobody knew whether it was paid for; the file says so, or has nothing of it",
    "more": "more was charged in this time than is on record",
    "less": "less was charged in this time than is on record",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. What is not known is None."""

    kind: Kind
    on_record: int | None
    """Nano-dollars."""
    charged: int | None
    call: Called | None = None
    charge: Charged | None = None
    span: tuple[int, int, str | None] | None = None
    """Of sums: from when, until when, and which model; None for all."""
    why: str = ""

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = {"kind": self.kind, "why": self.why or MEANS[self.kind]}
        for name, amount in (("on_record_usd", self.on_record), ("charged_usd", self.charged)):
            told[name] = None if amount is None else usd(amount)
        if self.call:
            own = self.call
            told |= {"tenant": own.tenant, "job": own.job, "call": own.call, "model": own.model, "paid": own.paid}
        if self.charge:
            told |= {"line": self.charge.place, "name": self.charge.name}
        if (charge := self.charge or self.call) and charge.request_id:
            told["request_id"] = charge.request_id
        if self.span:
            told |= {"from": iso(self.span[0]), "to": iso(self.span[1]), "name": self.span[2]}
        return told


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it."""

    compared: Literal["calls", "sums"]
    matched: int
    """Calls, or sums, that are alike on both sides."""
    on_record: int
    """Nano-dollars of the calls that were compared and paid for."""
    charged: int | None
    """Nano-dollars in the file; None where it has tokens alone."""
    findings: Sequence[Finding]

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        counts = Counter(each.kind for each in self.findings)
        return {
            "object": "reconciliation",
            "compared": self.compared,
            "matched": self.matched,
            **{kind: counts[kind] for kind in MEANS},
            "on_record_usd": usd(self.on_record),
            "charged_usd": None if self.charged is None else usd(self.charged),
            "findings": [each.shown() for each in self.findings],
        }
