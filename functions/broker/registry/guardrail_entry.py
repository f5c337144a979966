"""Guardrail policies, as operators register them."""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from broker.guardrails.policy import DEFAULT, TENANTS_OWN
from broker.guardrails.untrusted import Marking
from broker.registry.entry import Entry, Name
from broker.registry.rule_entry import RuleEntry
from broker.storage import Item

MOST_RULES = 50

RESERVED = (DEFAULT.id, TENANTS_OWN)
"""Names that findings have for the rules that nobody registered."""


class GuardrailEntry(Entry):
    """One policy, as `guardrails.policy.Policy` reads it. Tenants, prompts and routes name it."""

    kind: ClassVar[str] = "GUARDRAIL"

    id: Name
    description: Annotated[str, Field(max_length=1000)] | None = None
    shadow: bool = False
    """It notes what it finds, and never acts."""
    shared: bool = False
    """Every tenant may try a text against it (`POST /v1/guardrails/check`); otherwise, those that name it."""
    mark_untrusted: Marking | None = None
    """How a model is shown what tools gave and what prompts mark as data: between markers, also with a character in
    the place of each space, or encoded."""
    rules: list[RuleEntry] = Field(min_length=1, max_length=MOST_RULES)
    """In the order in which they are run."""
    enabled: bool = True

    @field_validator("id")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name} stands in findings for the rules that nobody registered")
        return name

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `tenants.policies.Policies` reads it."""
        kept = self.model_dump(exclude_none=True, exclude={"id", "rules"})
        return {"pk": f"GUARDRAIL#{self.id}", "sk": "GUARDRAIL", **kept, "rules": [rule.item() for rule in self.rules]}
