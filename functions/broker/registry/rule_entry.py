"""The rules of guardrail policies: what is looked for, and what follows what is found."""

from difflib import get_close_matches
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from broker.errors import InvalidRequest
from broker.guardrails.checks import BY_ENGINES, CHECKS, SIZE
from broker.guardrails.kinds import kinds_of
from broker.guardrails.policy import (
    CHANGES,
    EMBEDDED,
    MOST_INPUT_CHARS,
    SCORES,
    Action,
    Combine,
    Stage,
)
from broker.jobs.field_errors import Spelled, here
from broker.prompts.variables import check_pattern
from broker.registry.entry import Name, StrictEntry

CHECK_NAMES = tuple(sorted({*CHECKS, *BY_ENGINES, SIZE}))

OPTIONS: dict[str, frozenset[str]] = {
    "terms": frozenset({"denied_terms"}),
    "patterns": frozenset({"denied_patterns", "tool_calls"}),
    "domains": frozenset({"links", "markup"}),
    "tools": frozenset({"tool_calls"}),
    "canary": frozenset({"prompt_leak"}),
    "untrusted_threshold": frozenset({"injection"}),
    "untrusted_block_from": frozenset({"injection"}),
    "max_chars": frozenset({SIZE}),
    "engines": frozenset({"injection", "personal_data", *BY_ENGINES}),
    "topics": frozenset({"topics"}),
    "prompt": frozenset({"injection", *BY_ENGINES}),
    "pictures": frozenset({"injection", *BY_ENGINES}),
}
"""Options that some checks alone have, and which."""

NEEDED: dict[str, tuple[str, ...]] = {
    "denied_terms": ("terms",),
    "denied_patterns": ("patterns",),
    "harmful_content": ("engines",),
    "topics": ("engines", "topics"),
}
"""Options without which a check finds nothing."""

NO_SCORE = frozenset({"threshold", "block_from"})

NOT_OF: dict[str, frozenset[str]] = {
    "denied_patterns": CHANGES | NO_SCORE | {"kinds"},
    "denied_terms": NO_SCORE | {"kinds"},
    "hidden_text": NO_SCORE | {"mask", "hash", "redact"},
    "harmful_content": CHANGES | {"only_new"},
    "injection": CHANGES | {"output", "kinds", "only_new"},
    "links": NO_SCORE | {"input", "kinds"},
    "markup": NO_SCORE | {"input"},
    SIZE: CHANGES | NO_SCORE | {"review", "output", "kinds", "only_new", "fail_open"},
    "prompt_leak": NO_SCORE | {"input", "only_new"},
    "topics": CHANGES | {"kinds", "only_new"},
    "tool_calls": CHANGES | NO_SCORE | {"input", "only_new"},
}
"""Actions, stages and options that a check has no use for: it is always sure, or judges a text as a whole."""


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


class JudgePromptEntry(StrictEntry):
    """A version of a registered prompt, as `guardrails.policy.JudgePrompt` reads it."""

    id: Name
    version: int = Field(ge=1)


class RuleEntry(StrictEntry):
    """One check of a policy, as `guardrails.policy.Rule` reads it."""

    check: CheckName
    engines: list[Annotated[str, Field(min_length=1, max_length=128)]] | None = Field(
        default=None, min_length=1, max_length=4
    )
    """Models that judge, by id; `rules` before them stands for the check as it is built in."""
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
    untrusted_threshold: Score | None = None
    """Of `injection`: the same for what came from elsewhere (results of tools, documents)."""
    untrusted_block_from: Score | None = None
    """Of `injection`: the same for what came from elsewhere."""
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
    canary: bool | None = None
    """Of `prompt_leak`: instructions get a word that only who repeats them can know."""
    max_chars: int | None = Field(default=None, ge=1, le=MOST_INPUT_CHARS)
    """Of `max_input_chars`."""
    combine: Combine | None = None
    """When several engines find something: `any` of them has to, `all`, or (`cascade`) the next is asked where one is
    unsure."""
    unsure: list[Score] | None = Field(default=None, min_length=2, max_length=2)
    """Of a cascade: from the first score on, and below the second, the next engine is asked."""
    topics: list[Term] | None = Field(default=None, min_length=1, max_length=20)
    """Of `topics`: what is not to be talked about, in words for the model that judges."""
    prompt: JudgePromptEntry | None = None
    """By which models judge, instead of the broker's own words: with the variable `material` in its user part."""
    pictures: bool | None = None
    """Engines, all of which then have to see, are shown the pictures of requests and answers, too."""

    @field_validator("kinds", "threshold", "block_from", "fail_open", "only_new", *OPTIONS)
    @classmethod
    def _is_an_option_of_the_check(cls, value: Any, others: ValidationInfo) -> Any:
        check, option = others.data.get("check", ""), str(others.field_name)
        if value is not None and (option in NOT_OF.get(check, ()) or check not in OPTIONS.get(option, [check])):
            raise here(f"it does not go with {check}")
        return value

    @field_validator("kinds")
    @classmethod
    def _are_known(cls, kinds: list[str] | None, others: ValidationInfo) -> list[str] | None:
        known = frozenset() if others.data.get("engines") else kinds_of(others.data.get("check", ""))
        for kind in kinds or () if known else ():
            if kind not in known:
                near = get_close_matches(kind, sorted(known), n=3)
                raise here(f"{kind} is no kind of {others.data['check']}" + (f"; near: {', '.join(near)}" * bool(near)))
        return kinds

    @field_validator("action", "stages")
    @classmethod
    def _is_what_the_check_can(cls, value: Any, others: ValidationInfo) -> Any:
        check = others.data.get("check", "")
        for word in [value] if isinstance(value, str) else value or ():
            if word in NOT_OF.get(check, ()):
                raise here(f"{word} does not go with {check}")
        return value

    @field_validator("block_from", "untrusted_block_from")
    @classmethod
    def _is_stricter(cls, score: float | None, others: ValidationInfo) -> float | None:
        if score is not None and others.data.get("action") == "block":
            raise here("it does not go with the action block, which every finding has")
        threshold = str(others.field_name).replace("block_from", "threshold")
        if score is not None and score < (others.data.get(threshold) or 0):
            raise here(f"it has to be as high as {threshold}")
        return score

    @field_validator("only_new")
    @classmethod
    def _is_of_answers(cls, value: bool | None, others: ValidationInfo) -> bool | None:
        if value and "output" not in (others.data.get("stages") or ["output"]):
            raise here("it needs the stage output")
        return value

    @field_validator("engines")
    @classmethod
    def _are_engines(cls, engines: list[str] | None, others: ValidationInfo) -> list[str] | None:
        named = engines or []
        if len(set(named)) < len(named):
            raise here("it has one twice")
        if EMBEDDED in named and others.data.get("check") in BY_ENGINES:
            raise here(f"nothing is built in for {others.data['check']}")
        if EMBEDDED in named[1:]:
            raise here(f"{EMBEDDED} comes first")
        if named == [EMBEDDED]:
            raise here("it has to name a model")
        return engines

    @field_validator("prompt", "pictures")
    @classmethod
    def _is_for_engines(cls, value: Any, others: ValidationInfo) -> Any:
        if value and not others.data.get("engines"):
            raise here("it needs engines")
        return value

    @field_validator("pictures")
    @classmethod
    def _are_seen(cls, pictures: bool | None, others: ValidationInfo) -> bool | None:
        if pictures and EMBEDDED in others.data["engines"] and others.data.get("combine") in ("all", "cascade"):
            raise here(f"with {EMBEDDED} first, engines would only be asked for texts: it needs combine: any")
        return pictures

    @field_validator("combine")
    @classmethod
    def _combines_several(cls, combine: str | None, others: ValidationInfo) -> str | None:
        if combine is not None and len(others.data.get("engines") or ()) < 2:
            raise here("it needs two engines")
        return combine

    @field_validator("unsure")
    @classmethod
    def _is_a_band(cls, unsure: list[float] | None, others: ValidationInfo) -> list[float] | None:
        if unsure is not None and others.data.get("combine") != "cascade":
            raise here("it needs combine: cascade")
        if unsure is not None and unsure[0] >= unsure[1]:
            raise here("the second score has to be higher than the first")
        return unsure

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        for needed in NEEDED.get(self.check, ()):
            if getattr(self, needed) is None:
                raise ValueError(f"{self.check} needs {needed}")
        return self

    def item(self) -> dict[str, Any]:
        """The stored form: the table has whole numbers alone, so scores are in thousandths."""
        kept = self.model_dump(exclude_none=True)
        stages = [stage for stage in get_args(Stage) if stage not in NOT_OF.get(self.check, ())]
        scores: dict[str, Any] = {name: round(kept[name] * 1000) for name in SCORES if name in kept}
        if self.unsure:
            scores["unsure"] = [round(score * 1000) for score in self.unsure]
        return kept | scores | {"stages": self.stages or stages}
