"""What is looked for, in which order, and what follows: policies, as operators register them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

from broker.guardrails.untrusted import Marking
from broker.guardrails.walk import Source

Stage = Literal["input", "output"]

Action = Literal["flag", "mask", "hash", "redact", "remove", "review", "block"]
"""What follows a finding: it is noted, the text is changed (`redact` so that it can be undone), a person has to look at
the job before it goes on, or it ends."""

STRICTNESS: Mapping[str, int] = {"flag": 0, "mask": 1, "hash": 2, "redact": 3, "remove": 4, "review": 5, "block": 6}
"""Where policies differ, the strictest wins."""

CHANGES: frozenset[Action] = frozenset({"mask", "hash", "redact", "remove"})
"""The actions that change a text."""

PERSONAL = "personal_data"
"""The check whose finds have to be taken out for a request to be redacted (`routing.residency`)."""

SCORES = ("threshold", "block_from", "untrusted_threshold", "untrusted_block_from")
"""The options of a rule that are scores."""

MOST_INPUT_CHARS = 4_000_000

Combine = Literal["any", "all", "cascade"]
"""When several engines find something: one of them has to, all have to, or the next is asked where one is unsure."""

EMBEDDED = "rules"
"""Among a rule's engines, the check as it is built in."""

UNSURE = (0.2, 0.9)
"""The scores of an engine between which a cascade asks the next, unless a rule says otherwise."""

TENANTS_OWN = "tenant"
"""As findings name the rules that a tenant's own settings add to its policies."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """The version of a registered prompt; it never changes."""

    id: str
    version: int

    def __str__(self) -> str:
        return f"{self.id}@{self.version}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One check of a policy, and what follows what it finds."""

    check: str
    """Its name in `checks.CHECKS`."""
    action: Action = "block"
    stages: tuple[Stage, ...] = ("input", "output")
    kinds: tuple[str, ...] = ()
    """What it looks for, of all that it knows; none for all."""
    threshold: float | None = None
    """Findings below this score are none; unless said, the check's own."""
    block_from: float | None = None
    """Findings from this score on block, whatever the action."""
    untrusted_threshold: float | None = None
    """Of `injection`: the same for what came from elsewhere (results of tools, documents)."""
    untrusted_block_from: float | None = None
    """Of `injection`: the same for what came from elsewhere."""
    fail_open: bool = False
    """Where the check itself fails, go on; otherwise that blocks where a finding would."""
    terms: tuple[str, ...] = ()
    """Of `denied_terms`: words or phrases, found as whole words in any case and with any white space between."""
    patterns: tuple[str, ...] = ()
    """Regular expressions: of `denied_patterns`, and of what arguments may not be of `tool_calls`."""
    domains: tuple[str, ...] = ()
    """Of `links` and `markup`: the domains, with all below them, that an answer may point to."""
    tools: tuple[str, ...] = ()
    """Of `tool_calls`: the tools that a model may call."""
    only_new: bool = False
    """Of an answer, only what was not in the request."""
    canary: bool = False
    """Of `prompt_leak`: instructions get a word that only who repeats them can know (`canary`)."""
    max_chars: int = MOST_INPUT_CHARS
    """Of `max_input_chars`."""
    engines: tuple[str, ...] = ()
    """The models that judge for this rule, by id, and `rules` before them for the check as it is built in; none for
    that alone."""
    combine: Combine = "any"
    """Of several engines."""
    unsure: tuple[float, float] = UNSURE
    """Of a cascade: from the first score on, and below the second, the next engine is asked."""
    topics: tuple[str, ...] = ()
    """Of `topics`: what is not to be talked about, in words for the model that judges."""
    prompt: JudgePrompt | None = None
    """By which its judges are asked; unless said, by the broker's own words."""
    pictures: bool = False
    """Its engines are shown the pictures of the request, and of the answer, too."""

    def to_item(self) -> dict[str, Any]:
        """The stored form, as `from_item` reads it."""
        scores = {name: round(value * 1000) for name in SCORES if (value := getattr(self, name)) is not None}
        return asdict(self) | scores | {"unsure": [round(score * 1000) for score in self.unsure]}

    def least(self, source: Source, usual: float) -> float:
        """The score from which on a find counts in words of this source; `usual` is the check's own."""
        if source == "untrusted" and self.untrusted_threshold is not None:
            return self.untrusted_threshold
        return usual if self.threshold is None else self.threshold

    def blocking_score(self, source: Source) -> float | None:
        """The score from which on a find blocks in words of this source, whatever the action; None for none."""
        if source == "untrusted" and self.untrusted_block_from is not None:
            return self.untrusted_block_from
        return self.block_from

    @property
    def models(self) -> tuple[str, ...]:
        """The engines that are models, in the order in which they are asked."""
        return tuple(engine for engine in self.engines if engine != EMBEDDED)

    @property
    def is_embedded(self) -> bool:
        """True where the check itself looks, too."""
        return not self.engines or EMBEDDED in self.engines

    @property
    def redacts(self) -> bool:
        """True where it takes personal data out of what models get."""
        return self.check == PERSONAL and "input" in self.stages and self.action in CHANGES

    @property
    def needs_cause(self) -> bool:
        """True where its models are only asked for what the check itself has found, or is unsure of."""
        return bool(self.models) and EMBEDDED in self.engines and self.combine != "any"

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read the stored form."""
        known: dict[str, Any] = {spec.name: item[spec.name] for spec in fields(cls) if item.get(spec.name) is not None}
        for name in ("stages", "kinds", "terms", "patterns", "domains", "tools", "engines", "topics"):
            if name in known:
                known[name] = tuple(known[name])
        for name in SCORES:  # per mille in the table, which keeps whole numbers
            if name in known:
                known[name] = known[name] / 1000
        if "unsure" in known:
            low, high = known["unsure"]
            known["unsure"] = low / 1000, high / 1000
        if "prompt" in known:
            known["prompt"] = JudgePrompt(str(known["prompt"]["id"]), int(known["prompt"]["version"]))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in the order in which they are run. One in the `shadow` notes what it finds, and never acts."""

    id: str = "default"
    version: int = 0
    rules: tuple[Rule, ...] = ()
    shadow: bool = False
    mark_untrusted: Marking | None = None
    """How a model is shown what came from elsewhere."""

    @property
    def name(self) -> str:
        """As findings tell it: `strict@3`."""
        return f"{self.id}@{self.version}" if self.version else self.id

    @classmethod
    def from_item(cls, policy_id: str, item: Mapping[str, Any]) -> Self:
        """Read the stored form."""
        rules = tuple(Rule.from_item(each) for each in item.get("rules", ()))
        facts = int(item.get("version", 0)), rules, bool(item.get("shadow", False)), item.get("mark_untrusted")
        return cls(policy_id, *facts)


UNSEEN_CHARACTERS = ("tag_characters", "direction_override", "invisible_in_word", "invisible_run")
"""Of `hidden_text`: pages have comments and hidden parts by habit, characters are hidden on purpose."""

INJECTION_BLOCKS_FROM = 0.907
"""The second threshold of the detector, which one ordinary text in a thousand reaches (`data/detector.json`)."""

DEFAULT = Policy(
    rules=(
        Rule("max_input_chars", stages=("input",)),
        Rule("hidden_text", "flag", stages=("input",), kinds=UNSEEN_CHARACTERS),
        Rule("secrets"),
        Rule("card_numbers"),
        Rule(
            *("injection", "flag", ("input",)),
            block_from=INJECTION_BLOCKS_FROM,
            untrusted_threshold=0.35,
            untrusted_block_from=0.8,
        ),
    )
)
"""Of who registered none."""


def redacts(policies: Iterable[Policy]) -> bool:
    """True where policies take personal data out of what models get, unless a check of theirs should fail."""
    return any(rule.redacts for policy in policies if not policy.shadow for rule in policy.rules)


def of_tenant(settings: Mapping[str, Any], named: tuple[Policy, ...] = ()) -> tuple[Policy, ...]:
    """The policies of a tenant: those that it names, and its own settings over them.

    Where none that it names acts, the default holds as well. A setting that no policy has a rule for is a rule of its
    own.

    Args:
        settings: `policy` of the tenant's entry: `max_input_chars`, `denied_terms`, `block_secrets`,
            `block_card_numbers`.
        named: the registered policies that its `guardrails` name.
    """
    base = named if any(not policy.shadow for policy in named) else (DEFAULT, *named)
    acting = {rule.check for policy in base if not policy.shadow for rule in policy.rules}
    own: list[Rule] = []
    for name in ("secrets", "card_numbers"):
        blocks = settings.get(f"block_{name}")
        if blocks is False:
            base = tuple(_flagged(policy, name) for policy in base)
        elif blocks and name not in acting:
            own.append(Rule(name))
    if "max_input_chars" in settings:
        limit = int(settings["max_input_chars"])
        base = tuple(_limited(policy, limit) for policy in base)
        if "max_input_chars" not in acting:
            own.append(Rule("max_input_chars", stages=("input",), max_chars=limit))
    if terms := tuple(settings.get("denied_terms", ())):
        own.append(Rule("denied_terms", terms=terms))
    return (*base, Policy(TENANTS_OWN, rules=tuple(own))) if own else base


def _flagged(policy: Policy, check: str) -> Policy:
    rules = tuple(
        replace(rule, action="flag", block_from=None) if rule.check == check else rule for rule in policy.rules
    )
    return replace(policy, rules=rules)


def _limited(policy: Policy, limit: int) -> Policy:
    rules = tuple(replace(rule, max_chars=limit) if rule.check == "max_input_chars" else rule for rule in policy.rules)
    return replace(policy, rules=rules)
