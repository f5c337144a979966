"""Who asks: organisation, tenant, application and principal, with the groups and roles that they are in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

ASKED_BY = "asked_by"
"""In a stored request: who asked for it, as `Who.kept`. No client can say so, for no request has such a field."""

MOST_NAMES, MOST_CHARS = 100, 4_000
"""Of groups and roles together, and their characters. They travel from the authorizer with each call."""


@dataclass(frozen=True, slots=True)
class Member:
    """As what a principal asks: the application that its credential belongs to, and its groups and roles."""

    application: str = ""
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def kept(self) -> dict[str, Any]:
        """The stored form: what is empty is left out."""
        named = {"groups": sorted(self.groups), "roles": sorted(self.roles)}
        return {name: value for name, value in {"application": self.application, **named}.items() if value}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Read the stored form, or what has it among other things."""
        groups, roles = (frozenset(kept.get(name, ())) for name in ("groups", "roles"))
        return cls(kept.get("application", ""), groups, roles)

    def joined(self, groups: Iterable[str], roles: Iterable[str]) -> Self:
        """The same in more groups and roles."""
        return type(self)(self.application, self.groups | {*groups}, self.roles | {*roles})

    @property
    def is_too_much(self) -> bool:
        """Whether it has more groups and roles than can travel. None may be left out: a rule may be about just that."""
        names = [*self.groups, *self.roles]
        return len(names) > MOST_NAMES or sum(map(len, names)) > MOST_CHARS


NOBODY = Member()
"""Of no application, and in no group."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks for one thing, and by which door."""

    tenant: str
    organisation: str = ""
    """As the tenant's entry has it now."""
    member: Member = NOBODY
    principal: str = ""
    key: str = ""
    """The id of the API key; empty for none."""
    door: str = ""

    def kept(self) -> dict[str, Any]:
        """What a job keeps of it: all but its tenant, which it has, and the organisation, which may change."""
        own = {"principal": self.principal, "key": self.key, "door": self.door}
        return {name: value for name, value in own.items() if value} | self.member.kept()

    @classmethod
    def of(cls, tenant: str, kept: Mapping[str, Any]) -> Self:
        """Who asked for a job, by what it keeps; of an older one, that says nothing, the tenant alone."""
        own = (kept.get(name, "") for name in ("principal", "key", "door"))
        return cls(tenant, "", Member.of(kept), *own)
