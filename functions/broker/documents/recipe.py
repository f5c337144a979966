"""What is to happen to a document: extract, split, ask, merge; as operators registered it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from broker.documents.merging import Rules
from broker.documents.splitting import By

Way = Literal["map_reduce", "refine", "concat", "per_page", "extract"]
"""How answers to the parts become one.

`map_reduce`  each part is asked, and the answers are put together, as many at a time as fit, until one is left
`refine`      one part after the other is asked, with the answer so far
`concat`      each part is asked, and the answers stand one behind the other
`per_page`    each page is asked, and each has its answer
`extract`     each part gives an object, and these are merged (`documents.merging`)
"""

Scans = Literal["textract", "vision", "off"]
"""Who reads pages that are pictures: a model of the task `extract_text`, or of chats with eyes; or nobody: such a
document is rejected."""

OnFailure = Literal["fail", "continue"]
"""What becomes of a document of which a part has no answer."""

Citations = Literal["off", "tell", "require"]
"""What follows where an answer cites a page that is not there, or none at all: it is told, or the document fails."""

USUAL_SIZE = 6_000
"""Tokens of a part, where neither the recipe nor the model's window says how many."""

LARGEST_SIZE = 200_000
USUAL_OUTPUT = 1_000
"""Tokens of an answer that is reserved for, where the recipe names none."""

FULL = 0.75
"""Of a window that parts take: estimates of tokens may be a quarter too low, and the prompt has words of its own."""


@dataclass(frozen=True, slots=True)
class PromptUse:
    """A prompt and the values that the recipe gives it."""

    id: str
    version: int | None = None
    label: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def filled(self, **values: str) -> dict[str, Any]:
        """As a request has it (`jobs.fields.Prompt`)."""
        named = {"version": self.version, "label": self.label}
        given = {name: value for name, value in named.items() if value is not None}
        return {"id": self.id, **given, "variables": {**self.variables, **values}}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One version of a recipe. `max_cost` is in nano-dollars, for all that a document costs."""

    id: str
    version: int
    way: Way
    map: PromptUse
    reduce: PromptUse | None = None
    """For `map_reduce` and `refine`."""
    takes: frozenset[str] | None = None
    """Kinds of file (`extract.KINDS`); None for all."""
    scans: Scans = "textract"
    scan_model: str = "auto"
    features: tuple[str, ...] = ()
    """What is looked for on such pages beside text, by models of `extract_text`: `forms`, `tables`."""
    by: By = "headings"
    size: int | None = None
    overlap: int = 0
    rules: Rules = field(default_factory=Rules)
    depth: int = 4
    """How often answers are put together, at most (`map_reduce`)."""
    schema: Mapping[str, Any] | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    """What each child's request says beside its prompt: `model`, `routing`, `parameters`, `cache` …"""
    guardrails: tuple[str, ...] = ()
    language: str | None = None
    max_cost: int | None = None
    on_failure: OnFailure = "fail"
    citations: Citations = "tell"
    suffix: str = ".result.json"
    webhook: Mapping[str, Any] | None = None
    deadline_s: int = 86_400
    window: Mapping[str, Any] | None = None
    """Its off-peak hours, as a batch keeps them."""
    application: str | None = None
    """The tenant's application that its work belongs to."""
    enabled: bool = True

    @classmethod
    def of(cls, recipe_id: str, version: int, facts: Mapping[str, Any]) -> Self:
        """Read the stored form (`registry.recipe_entry`)."""
        known = dict(facts)
        known["map"] = PromptUse(**known["map"])
        known["reduce"] = PromptUse(**known["reduce"]) if known.get("reduce") else None
        known["rules"] = Rules(**known.get("rules", {}))
        known["features"] = tuple(known.get("features", ()))
        known["guardrails"] = tuple(known.get("guardrails", ()))
        known["takes"] = frozenset(known["takes"]) if "takes" in known else None
        return cls(id=recipe_id, version=version, **known)

    @property
    def output_tokens(self) -> int:
        """That an answer has, at most."""
        return int(self.request.get("parameters", {}).get("max_output_tokens", USUAL_OUTPUT))

    def size_for(self, window: int | None) -> int:
        """Tokens of a part, for a model with this window; None where it is not known which model it will be."""
        if self.size is not None:
            return self.size
        if window is None:
            return USUAL_SIZE
        return max(min(int(FULL * window) - self.output_tokens, LARGEST_SIZE), 2 * self.overlap + 1, 200)
