"""What jobs of a kind usually take, by which a job is counted until it is known what it took.

A kind is a tenant's own, so nobody's jobs say anything of those of others, but for the first guess of the model; and
each tenant has a part of what is remembered, so that nobody's kinds push out those of others.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

Kind = tuple[str, str, str]
"""Tenant, task, and the model that was asked for."""

MOST_KINDS, MOST_TENANTS = 500, 1_000
"""That a process remembers."""

USUAL_TOKENS, USUAL_PRICE = 1_000, 1_000
"""Of a job of which nothing is known, and by what is held for it: nano-dollars of a token."""

FREE_KINDS = 20
"""So many kinds of a tenant are tried each by itself. Who names more is taken to mean what its jobs went to lately:
else each row of a kind of its own would be one of which nothing is known, and be let through at once."""

RECENT = 0.1
"""How much the newest job counts in what is known of its kind."""


@dataclass(slots=True)
class Usual:
    """Jobs of a kind."""

    model: str | None = None
    """That answered last."""
    tokens: float = 0.0
    per_hold: float = 0.0
    """Tokens by what is held of the budget for them, which grows with the prompt."""

    def took(self, tokens: int, hold: int) -> None:
        """Another one has ended."""
        self.tokens += (tokens - self.tokens) * (RECENT if self.tokens else 1)
        if hold:
            self.per_hold += (tokens / hold - self.per_hold) * (RECENT if self.per_hold else 1)


@dataclass(slots=True)
class Kinds:
    """All that a process knows."""

    _known: OrderedDict[Kind, Usual] = field(default_factory=OrderedDict)
    _tenants: OrderedDict[str, Usual] = field(default_factory=OrderedDict)
    """All kinds of a tenant together."""
    _asked: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)
    """The model that answered last where so was asked, by task: the guess where nothing is known of a tenant's."""
    _numbers: Counter[str] = field(default_factory=Counter)
    """Kinds of each tenant."""

    def model(self, kind: Kind) -> str | None:
        """That jobs of a kind went to lately; None where that is not known."""
        usual = self._known.get(kind)
        if usual and usual.model:
            return usual.model
        if model := self._asked.get(kind[1:]):
            return model
        of_all = self._tenants.get(kind[0]) if self.are_many(kind[0]) else None
        return of_all.model if of_all else None

    def are_many(self, tenant: str) -> bool:
        """True of a tenant that names more than may be tried each by itself."""
        return self._numbers[tenant] > FREE_KINDS

    def tried(self, kind: Kind) -> None:
        """A job of it was started."""
        self._of(kind)

    def expected(self, kind: Kind, hold: int) -> int:
        """Tokens that a job will take, for which so many nano-dollars are held.

        Of a kind that is new, what is held counts, but no less than the tenant's jobs take in the mean: it might hold
        little, and name another model each time.
        """
        usual = self._known.get(kind)
        if usual and usual.tokens:
            return max(1, round(hold * usual.per_hold if hold and usual.per_hold else usual.tokens))
        of_all = self._tenants.get(kind[0])
        least = round(of_all.tokens) if of_all and of_all.tokens else 0 if hold else USUAL_TOKENS
        return max(1, hold // USUAL_PRICE, least)

    def went_to(self, kind: Kind, model: str, *, answered: bool) -> None:
        """A job of a kind has called a model."""
        for usual in (self._of(kind), self._of_all(kind[0])):
            if answered or usual.model is None:
                usual.model = model
        if answered:
            self._asked[kind[1:]] = model
            self._asked.move_to_end(kind[1:])
            if len(self._asked) > MOST_KINDS:
                self._asked.popitem(last=False)

    def took(self, kind: Kind, tokens: int, hold: int) -> None:
        """A job of a kind has ended, and has taken so many tokens."""
        self._of(kind).took(tokens, hold)
        self._of_all(kind[0]).took(tokens, 0)

    def _of_all(self, tenant: str) -> Usual:
        usual = self._tenants.setdefault(tenant, Usual())
        self._tenants.move_to_end(tenant)
        if len(self._tenants) > MOST_TENANTS:
            self._tenants.popitem(last=False)
        return usual

    def _of(self, kind: Kind) -> Usual:
        if kind not in self._known:
            self._known[kind] = Usual()
            self._numbers[kind[0]] += 1
        self._known.move_to_end(kind)
        if len(self._known) > MOST_KINDS:
            (most, _), *_ = self._numbers.most_common(1)
            oldest = next(each for each in self._known if each[0] == most)
            del self._known[oldest]
            self._numbers[most] -= 1
        return self._known[kind] if kind in self._known else Usual()
