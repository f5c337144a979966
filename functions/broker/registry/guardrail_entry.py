"""Guardrail policies: rules, and what follows what they find."""

from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from broker.errors import InvalidRequest
from broker.guardrails.checks import CHECKS, SIZE
from broker.guardrails.policy import DEFAULT, MOST_INPUT_CHARS, TENANTS_OWN, Action, Stage
from broker.jobs.field_errors import Spelled, here
from broker.prompts.variables import check_pattern
from broker.registry.entry import Entry, Name, StrictEntry
from broker.storage import Item

CHECK_NAMES = tuple(sorted({*CHECKS, SIZE}))

OPTIONS: dict[str, frozenset[str]] = {
    "terms": frozenset({"denied_terms"}),
    "patterns": frozenset({"denied_patterns", "tool_calls"}),
    "domains": frozenset({"links", "markup"}),
    "tools": frozenset({"tool_calls"}),
    "max_chars": frozenset({SIZE}),
}
"""Options that some checks alone have, and which."""

NEEDED = {"denied_terms": "terms", "denied_patterns": "patterns"}
"""Options without which a check finds nothing."""

CHANGES = frozenset({"mask", "hash", "redact", "remove"})
"""The actions that change a text."""

SCORES = frozenset({"threshold", "block_from"})

NOT_OF: dict[str, frozenset[str]] = {
    "denied_patterns": CHANGES | SCORES | {"kinds"},
    "denied_terms": SCORES | {"kinds"},
    "hidden_text": SCORES | {"mask", "hash", "redact"},
    "injection": CHANGES | {"output", "kinds", "only_new"},
    "links": SCORES | {"input", "kinds"},
    "markup": SCORES | {"input"},
    SIZE: CHANGES | SCORES | {"review", "output", "kinds", "only_new", "fail_open"},
    "prompt_leak": SCORES | {"input", "kinds", "only_new"},
    "tool_calls": CHANGES | SCORES | {"input", "only_new"},
}
"""Actions, stages and options that a check has no use for: it is always sure, or judges a text as a whole."""

MOST_RULES = 50

RESERVED = (DEFAULT.id, TENANTS_OWN)
"""Names that findings have for the rules that nobody registered."""


def _is_known(name: str) -> str:
    if name not in CHECK_NAMES:
        raise here(f"it has to be one of {', '.join(CHECK_NAMES)}")
    return name


def _is_in_thousandths(score: float) -> float:
    if abs(score * 1000 - round(score * 1000)) > 1e-6:
        raise here("it has to have three digits after the point at most")
    return score


def _is_a_pattern(text: str) -> str:
    try:
        check_pattern(text)
    except InvalidRequest as error:
        raise here(error.message) from None
    return text


CheckName = Annotated[str, AfterValidator(_is_known), WithJsonSchema({"type": "string", "enum": list(CHECK_NAMES)})]
Score = Annotated[float, Field(ge=0, le=1), AfterValidator(_is_in_thousandths)]
Kind = Annotated[str, Field(min_length=1, max_length=64)]
Term = Annotated[str, Field(min_length=1, max_length=200)]
Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_is_a_pattern)]
Domain = Annotated[
    str,
    Spelled(
        "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$", "it has to be a domain, such as example.com, and no address"
    ),
]
ToolName = Annotated[str, Field(min_length=1, max_length=128)]


class RuleEntry(StrictEntry):
    """One check of a policy, as `guardrails.policy.Rule` reads it."""

    check: CheckName
    action: Action
    """What follows what it finds."""
    stages: list[Stage] | None = Field(default=None, min_length=1, max_length=2)
    """Before the model, after it, or both; unless said, all that its check is for."""
    kinds: list[Kind] | None = Field(default=None, min_length=1, max_length=100)
    """What it looks for, of all that it knows."""
    threshold: Score | None = None
    """Findings below this score are none."""
    block_from: Score | None = None
    """Findings from this score on block, whatever the action."""
    fail_open: bool | None = None
    """Where the check itself fails, go on; otherwise that blocks where a finding would."""
    only_new: bool | None = None
    """Of an answer, only what was not in the request."""
    terms: list[Term] | None = Field(default=None, min_length=1, max_length=1000)
    """Of `denied_terms`: words or phrases."""
    patterns: list[Pattern] | None = Field(default=None, min_length=1, max_length=100)
    """Regular expressions as in JSON Schema: of `denied_patterns`; of `tool_calls`, what no argument may be like."""
    domains: list[Domain] | None = Field(default=None, max_length=1000)
    """Of `links` and `markup`: where an answer may point to, with all below."""
    tools: list[ToolName] | None = Field(default=None, max_length=128)
    """Of `tool_calls`: the tools that a model may call."""
    max_chars: int | None = Field(default=None, ge=1, le=MOST_INPUT_CHARS)
    """Of `max_input_chars`."""

    @field_validator("kinds", "threshold", "block_from", "fail_open", "only_new", *OPTIONS)
    @classmethod
    def _is_an_option_of_the_check(cls, value: Any, others: ValidationInfo) -> Any:
        check, option = others.data.get("check", ""), str(others.field_name)
        if value is not None and (option in NOT_OF.get(check, ()) or check not in OPTIONS.get(option, [check])):
            raise here(f"it does not go with {check}")
        return value

    @field_validator("action", "stages")
    @classmethod
    def _is_what_the_check_can(cls, value: Any, others: ValidationInfo) -> Any:
        check = others.data.get("check", "")
        for word in [value] if isinstance(value, str) else value or ():
            if word in NOT_OF.get(check, ()):
                raise here(f"{word} does not go with {check}")
        return value

    @field_validator("block_from")
    @classmethod
    def _is_stricter(cls, score: float | None, others: ValidationInfo) -> float | None:
        if score is not None and others.data.get("action") == "block":
            raise here("it does not go with the action block, which every finding has")
        if score is not None and score < (others.data.get("threshold") or 0):
            raise here("it has to be as high as the threshold")
        return score

    @field_validator("only_new")
    @classmethod
    def _is_of_answers(cls, value: bool | None, others: ValidationInfo) -> bool | None:
        if value and "output" not in (others.data.get("stages") or ["output"]):
            raise here("it needs the stage output")
        return value

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needed = NEEDED.get(self.check)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{self.check} needs {needed}")
        return self

    def item(self) -> dict[str, Any]:
        """The stored form: the table has whole numbers alone, so scores are in thousandths."""
        kept = self.model_dump(exclude_none=True)
        stages = [stage for stage in get_args(Stage) if stage not in NOT_OF.get(self.check, ())]
        scores = {name: round(kept[name] * 1000) for name in SCORES & kept.keys()}
        return kept | scores | {"stages": self.stages or stages}


class GuardrailEntry(Entry):
    """One policy, as `guardrails.policy.Policy` reads it. Tenants, prompts and routes name it."""

    kind: ClassVar[str] = "GUARDRAIL"

    id: Name
    description: Annotated[str, Field(max_length=1000)] | None = None
    shadow: bool = False
    """It notes what it finds, and never acts."""
    shared: bool = False
    """Every tenant may try a text against it (`POST /v1/guardrails/check`); otherwise, those that name it."""
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
