"""What a tenant's guardrail looks for, as its operators registered it."""

from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings; what is not set is on. A check that does not block still notes what it found."""

    max_input_chars: int = 4_000_000
    denied_terms: tuple[str, ...] = ()
    """Words or phrases, found as whole words in any case and with any white space between."""
    block_secrets: bool = True
    block_card_numbers: bool = True

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Self:
        """Read the stored form (`policy` of a tenant)."""
        known: dict[str, Any] = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        known["denied_terms"] = tuple(known.get("denied_terms", ()))
        return cls(**known)
