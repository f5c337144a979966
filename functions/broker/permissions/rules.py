"""Rules of who may do what, and the one function that decides by them.

A rule names resources (models by name or tag, prompts, tasks, doors, …) and either who alone may have them
(`allow_only`) or who may not (`deny`). What no rule is about, everybody may. All rules that are about a request have to
let it pass, so a further rule never opens what another one closes, and in which order they stand does not matter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from broker.permissions.who import Who

SUBJECTS = ("organisations", "tenants", "applications", "groups", "roles", "principals", "keys")
"""By what a rule says who."""

OF_REQUESTS = ("tasks", "doors", "prompts", "query_types", "data_classes")
"""By what a rule says what: known of a request before there is a model."""

OF_MODELS = ("models", "tags", "regions")
RESOURCES = (*OF_MODELS, *OF_REQUESTS)

What = Mapping[str, Collection[str] | None]
"""What is asked for, by kind of resource: the values that it has; None for a kind of which any value may be meant.
A kind that is missing has no value."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Some of all who may ask: those who meet each of the fields that it has, by one of its values."""

    fields: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[str]]) -> Self:
        """Read the stored form."""
        return cls({name: frozenset(values) for name, values in kept.items()})

    def include(self, who: Who) -> bool:
        """Whether somebody is among them."""
        return all(not values.isdisjoint(_known(who, name)) for name, values in self.fields.items())


def _known(who: Who, name: str) -> Collection[str]:
    match name:
        case "organisations":
            return (who.organisation,)
        case "tenants":
            return (who.tenant,)
        case "applications":
            return (who.member.application,)
        case "groups":
            return who.member.groups
        case "roles":
            return who.member.roles
        case "principals":
            return (who.principal,)
    return (who.key,)


@dataclass(frozen=True, slots=True)
class Permission:
    """One rule. Who is `within` is held to it; everybody, where that names nobody."""

    id: str
    on: Mapping[str, frozenset[str]]
    """What it is about: a request that has one of the values of each kind."""
    closes: bool
    """Whether those who are `named` alone may have it (`allow_only`), or may not (`deny`)."""
    named: tuple[Subjects, ...] = ()
    """Those whose time is over are not among them; a thing that is closed stays so without any."""
    within: Subjects = field(default_factory=lambda: Subjects({}))
    ask: str = ""
    """How to ask for it, in the operators' words."""

    @classmethod
    def of(cls, rule_id: str, kept: Mapping[str, Any], today: str = "") -> Self:
        """Read the stored form, as it holds on a day (ISO 8601); without one, whatever it says of its end."""
        closes = "allow_only" in kept
        chosen = (dict(each) for each in kept["allow_only" if closes else "deny"])
        ends = ((each.pop("until", None), each) for each in chosen)
        return cls(
            rule_id,
            {name: frozenset(kept[name]) for name in RESOURCES if name in kept},
            closes,
            tuple(Subjects.of(each) for until, each in ends if until is None or today < until),
            Subjects.of(kept.get("within", {})),
            kept.get("ask", ""),
        )

    def bars(self, who: Who) -> bool:
        """Whether it keeps somebody from what it is about."""
        if not self.within.include(who):
            return False
        return any(each.include(who) for each in self.named) != self.closes

    def is_about(self, what: What, kinds: Collection[str] = RESOURCES) -> bool:
        """Whether something is among what it names, as far as some kinds go."""
        return all(_meets(values, what.get(name, ())) for name, values in self.on.items() if name in kinds)


def _meets(values: frozenset[str], found: Collection[str] | None) -> bool:
    return found is None or not values.isdisjoint(found)


@dataclass(frozen=True, slots=True)
class Spoke:
    """A rule that is about what was asked, and what it says."""

    rule: Permission
    allows: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may do something, and each rule that had a say."""

    spoke: tuple[Spoke, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether all of them allow it."""
        return all(each.allows for each in self.spoke)

    @property
    def against(self) -> tuple[Permission, ...]:
        """Those that do not."""
        return tuple(each.rule for each in self.spoke if not each.allows)


def decide(rules: Iterable[Permission], who: Who, what: What) -> Decision:
    """Whether somebody may do something: one who no rule within which they are, and that is about it, keeps from it."""
    about = (rule for rule in rules if rule.within.include(who) and rule.is_about(what))
    return Decision(tuple(Spoke(rule, not rule.bars(who)) for rule in about))
