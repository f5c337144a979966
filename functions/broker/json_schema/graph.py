"""A JSON Schema as a graph: rules, which others each of them brings in, and what it costs to follow them all.

A rule holds others at the same value (`allOf`, `$ref`) or at values inside of it (`properties`, `items`). The same rule
may be reached on many ways, and a validator walks each of them: references that double at each of twenty levels are a
million checks of 1.4 KB. So ways are counted, never walked.

Work is counted in units of about 25 ns: ten for a rule at a value, one for a character held against one state of a
pattern.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.json_schema.patterns import extra, states
from broker.json_schema.places import LIST, Circular, Path, SchemaTooLarge, Where, places, where
from broker.json_schema.references import REFERENCES, References

_DEPENDENT = ("dependentRequired", "dependencies")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")

AGAIN = 3
"""How often what stands beside `unevaluatedProperties` is followed: again, to know what was evaluated (2.5)."""

MOST_ENTRIES = 50_000
"""Of the lists of a schema (`enum`, `required`)."""

MOST_HERE = 10_000
"""Rules at one value."""

MOST_RULES = 100_000
"""Rules in all, each counted on every way that leads to it; what a rule brings in of itself counts once."""

HIGHEST_HERE, HIGHEST = 64, 200
"""Rules that bring each other in, one after the other: at one value, and in all."""

MOST_STATES = 50_000
"""Of all patterns: they take memory and time as soon as they are compiled."""

RULE = 10
"""Units of a rule at a value."""


@dataclass(slots=True)
class SchemaRule:
    """One schema of the graph, and the schemas that it brings in, by number."""

    weight: int = RULE
    states: int = 0
    fancy: int = 0
    """Of its `pattern`, and what that costs besides."""
    name_states: int = 0
    name_fancy: int = 0
    """The same of the patterns that names of properties are held against."""
    again: int = 1
    here: list[int] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    property: list[int] = field(default_factory=list)
    name: list[int] = field(default_factory=list)
    placed: list[int | None] = field(default_factory=list)
    """None for a place at which anything, or nothing, may stand."""
    item: list[int] = field(default_factory=list)

    def inside(self) -> list[int]:
        """What it brings in at values inside of its own."""
        placed = [each for each in self.placed if each is not None]
        return [*self.named.values(), *self.property, *self.name, *placed, *self.item]


class Graph:
    """The rules of a schema."""

    def __init__(self, document: dict[str, Any], dialect: str) -> None:
        """Walk the schema.

        Raises:
            Malformed, Unresolved, Circular, TooLarge: it cannot be used.
        """
        self._rules: list[SchemaRule] = []
        self._references = References(document, dialect)
        while len(self._rules) < len(self._references.found):
            self._rules.append(self._rule(*self._references.found[len(self._rules)]))
        entries = sum(rule.weight - RULE for rule in self._rules)
        if entries > MOST_ENTRIES or sum(rule.states + rule.name_states for rule in self._rules) > MOST_STATES:
            raise SchemaTooLarge
        self._closures: dict[int, Counter[int]] = {}
        self._heights: dict[int, int] = {}
        for number in range(len(self._rules)):
            self._here(number, 0)
        self.recursive = False
        self._sizes: dict[int, int] = {}
        self._size(0, 0, set())

    def work(self, value: Any, most: int) -> int:
        """What it takes to check a value; counting stops above `most`."""
        done = 0
        waiting: list[tuple[Any, Mapping[int, int]]] = [(value, {0: 1})]
        while waiting:
            each, ways = waiting.pop()
            rules: Counter[int] = Counter()
            for number, times in ways.items():
                for other, more in self._closures[number].items():
                    rules[other] += times * more
            done += sum(times * self._cost(self._rules[number], each) for number, times in rules.items())
            if done > most:
                return done
            if isinstance(each, dict):
                for name, inner in each.items():
                    self._add(waiting, inner, rules, "named", name)
                    self._add(waiting, name, rules, "name", name)
            elif isinstance(each, list):
                for place, inner in enumerate(each):
                    self._add(waiting, inner, rules, "placed", place)
        return done

    def work_by_character(self) -> float:
        """The most that it takes to check a value, for each character that it has as JSON."""
        if self.recursive:
            return float("inf")
        heaviest = max(
            rule.weight + rule.states + rule.fancy + rule.name_states + rule.name_fancy for rule in self._rules
        )
        return self._sizes[0] * heaviest

    def _add(self, waiting: list[Any], inner: Any, rules: Mapping[int, int], kind: Where, key: Any) -> None:
        ways: Counter[int] = Counter()
        for number, times in rules.items():
            rule = self._rules[number]
            brought: list[int] = []
            if kind == "named":
                brought = rule.property if key not in rule.named else [rule.named[key], *rule.property]
            elif kind == "name":
                brought = rule.name
            else:
                placed = rule.placed[key] if key < len(rule.placed) else None
                brought = rule.item if placed is None else [placed, *rule.item]
            for other in brought:
                ways[other] += times
        if ways:
            waiting.append((inner, ways))

    @staticmethod
    def _cost(rule: SchemaRule, value: Any) -> int:
        if isinstance(value, str):
            return rule.weight + rule.states * len(value) + rule.fancy
        if isinstance(value, dict) and rule.name_states:
            return rule.weight + rule.name_states * sum(map(len, value)) + rule.name_fancy * len(value)
        return rule.weight

    def _rule(self, schema: dict[str, Any], base: str, path: Path) -> SchemaRule:
        """A schema, and what it brings in."""
        rule = SchemaRule(again=AGAIN if any(keyword in schema for keyword in _UNEVALUATED) else 1)
        rule.weight += sum(len(each) for key, each in schema.items() if isinstance(each, list) and key not in LIST)
        rule.weight += sum(len(schema[key]) for key in _DEPENDENT if isinstance(schema.get(key), dict))
        if isinstance(pattern := schema.get("pattern"), str):
            rule.states, rule.fancy = states(pattern), extra(pattern)
        named = schema.get("patternProperties", {})
        rule.name_states, rule.name_fancy = sum(map(states, named)), sum(map(extra, named))
        for keyword, inner, place in places(schema, path):
            at = where(keyword, schema)
            other = None if isinstance(inner, bool) else self._references.numbers[id(inner)]
            if at == "placed":
                rule.placed.append(other)
            elif other is not None and at == "named":
                rule.named[place[-1]] = other
            elif other is not None and at != "kept":
                getattr(rule, at).append(other)
        for keyword in REFERENCES:
            if keyword in schema:
                rule.here += self._references.targets(keyword, schema, base, path)
        return rule

    def _here(self, number: int, depth: int) -> Counter[int]:
        """The rules that one rule means at its own value, itself among them, each with the number of ways to it."""
        if number in self._closures:
            found = self._closures[number]
            if not found or depth + self._heights[number] > HIGHEST_HERE:
                raise Circular
            return found
        if depth > HIGHEST_HERE:
            raise Circular
        self._closures[number] = Counter()  # empty while it is looked for
        rule = self._rules[number]
        ways = Counter({number: 1})
        height = 0
        for other in rule.here:
            for each, times in self._here(other, depth + 1).items():
                ways[each] += times * rule.again
            height = max(height, self._heights[other] + 1)
            if ways.total() > MOST_HERE:
                raise SchemaTooLarge
        self._closures[number], self._heights[number] = ways, height
        return ways

    def _size(self, number: int, depth: int, above: set[int]) -> int:
        """The rules that one rule means at its own value and at all inside of it."""
        if number in self._sizes:
            return self._sizes[number]
        if number in above:
            self.recursive = True
            return 1
        if depth > HIGHEST:
            raise Circular
        above.add(number)
        rule = self._rules[number]
        size = 1 + rule.again * sum(self._size(each, depth + 1, above) for each in rule.here)
        size += sum(self._size(each, depth + 1, above) for each in rule.inside())
        above.discard(number)
        if size > MOST_RULES:
            raise SchemaTooLarge
        self._sizes[number] = size
        return size
