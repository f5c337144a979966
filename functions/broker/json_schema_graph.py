"""A JSON Schema as a graph: rules, which others each of them brings in, and what it costs to follow them all.

A rule holds others at the same value (`allOf`, `$ref`) or at values inside of it (`properties`, `items`). The same rule
may be reached on many ways, and a validator walks each of them: references that double at each of twenty levels are a
million checks of 1.4 KB. So ways are counted, never walked.

Work is counted in units of about 25 ns: ten for a rule at a value, one for a character held against one state of a
pattern.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urljoin

Path = tuple[str, ...]
Where = Literal["here", "named", "property", "name", "placed", "item", "kept"]

_ONE: dict[str, Where] = {
    **dict.fromkeys(("not", "if", "then", "else"), "here"),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties"), "property"),
    "propertyNames": "name",
    **dict.fromkeys(("additionalItems", "contains", "unevaluatedItems"), "item"),
    "contentSchema": "kept",
}
_LIST: dict[str, Where] = {**dict.fromkeys(("allOf", "anyOf", "oneOf"), "here"), "prefixItems": "placed"}
_MAP: dict[str, Where] = {
    "properties": "named",
    "patternProperties": "property",
    **dict.fromkeys(("dependentSchemas", "dependencies"), "here"),
    **dict.fromkeys(("$defs", "definitions"), "kept"),
}
_DEPENDENT = ("dependentRequired", "dependencies")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")

AGAIN = 3
"""How often what stands beside `unevaluatedProperties` is followed: again, to know what was evaluated (2.5)."""

MOST_PLACES, MOST_ENTRIES = 5_000, 50_000
"""Schemas in a schema, and entries of its lists (`enum`, `required`): they cost time before anything is checked."""

MOST_HERE = 10_000
"""Rules at one value."""

MOST_RULES = 100_000
"""Rules in all, each counted on every way that leads to it; what a rule brings in of itself counts once."""

HIGHEST_HERE, HIGHEST = 64, 200
"""Rules that bring each other in, one after the other: at one value, and in all."""

MOST_STATES = 50_000
"""Of all patterns: they take memory and time as soon as they are compiled."""

UNICODE = 20
"""States of a class of Unicode's (`\\p{L}`), about."""

RULE, FANCY = 10, 8_000
"""Units of a rule at a value, and of a pattern with look-around or back-references (`json_schema.MOST_STEPS`)."""

_FANCY = re.compile(r"\(\?[=!<>]|\\[1-9k]|[*+?}]\+")
_OF_UNICODE = re.compile(r"\\[pP]")
_REPEATED = re.compile(r"\{(\d{0,6}),?(\d{0,6})\}")
_ADDRESS = re.compile(r"[A-Za-z0-9:/._?=&~#-]*")


class Malformed(Exception):
    """Something stands where no such thing may stand; `path` is the place in the schema."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class Unresolved(Malformed):
    """A reference leads outside of the schema or to nothing."""


class Circular(Exception):
    """Rules bring each other in at the same value, without end or nearly so."""


class TooLarge(Exception):
    """There are too many ways to rules."""


def places(schema: dict[str, Any], path: Path = ()) -> Iterator[tuple[str, Any, Path]]:
    """Where schemas stand in a schema: keyword, what stands there, and its path.

    Raises:
        Malformed: something else than an object or a boolean stands there.
    """
    for keyword, value in schema.items():
        found: Mapping[Any, Any]
        if keyword in _LIST or (keyword == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise Malformed((*path, keyword))
            found = dict(enumerate(value))
        elif keyword in _MAP:
            if not isinstance(value, dict):
                raise Malformed((*path, keyword))
            found = {name: each for name, each in value.items() if not isinstance(each, list)}
            if keyword != "dependencies" and len(found) < len(value):
                raise Malformed((*path, keyword))
        elif keyword in _ONE or keyword == "items":
            found = {"": value}
        else:
            continue
        for name, each in found.items():
            place = (*path, keyword, *([str(name)] if name != "" or keyword in _MAP else []))
            if not isinstance(each, dict | bool):
                raise Malformed(place)
            yield keyword, each, place


def _where(keyword: str, schema: dict[str, Any]) -> Where:
    if keyword == "items":
        return "placed" if isinstance(schema["items"], list) else "item"
    return _ONE.get(keyword) or _LIST.get(keyword) or _MAP[keyword]


@dataclass(slots=True)
class Rule:
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
    placed: list[int] = field(default_factory=list)
    item: list[int] = field(default_factory=list)

    def inside(self) -> list[int]:
        """What it brings in at values inside of its own."""
        return [*self.named.values(), *self.property, *self.name, *self.placed, *self.item]


class Graph:
    """The rules of a schema."""

    def __init__(self, document: dict[str, Any], dialect: str) -> None:
        """Walk the schema.

        Raises:
            Malformed, Unresolved, Circular, TooLarge: it cannot be used.
        """
        self._old = "draft-0" in dialect
        self._id = "id" if "draft-04" in dialect else "$id"
        self._dialect = dialect
        self._rules: list[Rule] = []
        self._numbers: dict[int, int] = {}
        self._found: list[tuple[dict[str, Any], str, Path]] = []
        self._roots: dict[str, dict[str, Any]] = {"": document}
        self._anchors: dict[tuple[str, str], dict[str, Any]] = {}
        self._dynamic: dict[str, list[dict[str, Any]]] = {}
        self._collect(document, "", ())
        done = 0
        while done < len(self._found):  # a reference may lead to where no schema was looked for, and bring in more
            self._connect(done, *self._found[done])
            done += 1
        entries = sum(rule.weight - RULE for rule in self._rules)
        if entries > MOST_ENTRIES or sum(rule.states + rule.name_states for rule in self._rules) > MOST_STATES:
            raise TooLarge
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
                brought = [*rule.placed[key : key + 1], *rule.item]
            for other in brought:
                ways[other] += times
        if ways:
            waiting.append((inner, ways))

    @staticmethod
    def _cost(rule: Rule, value: Any) -> int:
        if isinstance(value, str):
            return rule.weight + rule.states * len(value) + rule.fancy
        if isinstance(value, dict) and rule.name_states:
            return rule.weight + rule.name_states * sum(map(len, value)) + rule.name_fancy * len(value)
        return rule.weight

    def _collect(self, document: dict[str, Any], base: str, path: Path) -> None:
        """Find all schemas of a schema, the addresses that they have, and the addresses that theirs are relative to."""
        waiting = [(document, base, path)]
        while waiting:
            each, around, place = waiting.pop()
            if id(each) in self._numbers:
                continue
            if len(self._rules) >= MOST_PLACES:
                raise TooLarge
            self._numbers[id(each)] = len(self._rules)
            self._rules.append(Rule())
            own = self._address(each, around, place)
            self._found.append((each, own, place))
            if place and each.get("$schema", self._dialect) not in (self._dialect, f"{self._dialect}#"):
                raise Malformed((*place, "$schema"))
            waiting += [(inner, own, at) for _, inner, at in places(each, place) if isinstance(inner, dict)]

    def _address(self, schema: dict[str, Any], base: str, path: Path) -> str:
        """The address of a schema, which its references are relative to; its names are kept."""
        if self._old and "$ref" in schema:
            return base  # what stands beside a reference does not count there
        if (identity := schema.get(self._id)) is not None:
            if not isinstance(identity, str) or not _ADDRESS.fullmatch(identity) or "/." in identity:
                raise Malformed((*path, self._id))
            bare, _, fragment = identity.partition("#")
            if fragment:
                self._name(base, fragment, schema, path)
            if bare:
                base = _joined(base, bare, path)
                if self._roots.setdefault(base.lower(), schema) is not schema:
                    raise Malformed((*path, self._id))
        for keyword in ("$anchor", "$dynamicAnchor"):
            if (name := schema.get(keyword)) is not None:
                if not isinstance(name, str):
                    raise Malformed((*path, keyword))
                self._name(base, name, schema, path)
                if keyword == "$dynamicAnchor":
                    self._dynamic.setdefault(name, []).append(schema)
        if schema.get("$recursiveAnchor") is True:
            self._dynamic.setdefault("", []).append(schema)
        return base

    def _name(self, base: str, name: str, schema: dict[str, Any], path: Path) -> None:
        if self._anchors.setdefault((base.lower(), name), schema) is not schema:
            raise Malformed(path)

    def _connect(self, number: int, schema: dict[str, Any], base: str, path: Path) -> None:
        """What a schema brings in."""
        rule = self._rules[number]
        rule.weight += sum(len(each) for key, each in schema.items() if isinstance(each, list) and key not in _LIST)
        rule.weight += sum(len(schema[key]) for key in _DEPENDENT if isinstance(schema.get(key), dict))
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            rule.states, rule.fancy = states(pattern), FANCY if _FANCY.search(pattern) else 0
        named = schema.get("patternProperties", {})
        rule.name_states = sum(map(states, named))
        rule.name_fancy = sum(FANCY for each in named if _FANCY.search(each))
        rule.again = AGAIN if any(keyword in schema for keyword in _UNEVALUATED) else 1
        for keyword, inner, place in places(schema, path):
            where = _where(keyword, schema)
            if where == "kept" or isinstance(inner, bool):
                if where == "placed":
                    rule.placed.append(self._anything())
                continue
            other = self._numbers[id(inner)]
            if where == "named":
                rule.named[place[-1]] = other
            else:
                getattr(rule, where).append(other)
        for keyword in _REFERENCES:
            if keyword in schema:
                rule.here += [self._numbers[id(each)] for each in self._targets(keyword, schema, base, path)]

    def _anything(self) -> int:
        """A rule that holds for all values, to keep the places of others."""
        self._found.append(({}, "", ()))
        self._rules.append(Rule())
        return len(self._rules) - 1

    def _targets(self, keyword: str, schema: dict[str, Any], base: str, path: Path) -> list[dict[str, Any]]:
        """The schemas that a reference may lead to: more than one only where it depends on the way to it."""
        reference, place = schema[keyword], (*path, keyword)
        if not isinstance(reference, str):
            raise Malformed(place)
        found = self._target(reference, base, place)
        several = [] if keyword == "$ref" else self._dynamic.get(reference.partition("#")[2], [])
        return [each for each in (found, *(other for other in several if other is not found)) if each is not True]

    def _target(self, reference: str, base: str, place: Path) -> Any:
        if reference.startswith("#"):
            address, fragment = base, reference[1:]
        else:
            address, _, fragment = _joined(base, reference, place).partition("#")
        root = self._roots.get(address.lower())
        if root is None:
            raise Unresolved(place)
        fragment = unquote(fragment)
        if not fragment:
            return root
        if not fragment.startswith("/"):
            if (address.lower(), fragment) not in self._anchors:
                raise Unresolved(place)
            return self._anchors[address.lower(), fragment]
        found: Any = root
        for token in fragment[1:].split("/"):
            if found is not root and isinstance(found, dict) and self._id in found and id(found) in self._numbers:
                raise Unresolved(place)  # behind another address, where nobody says what is meant
            found = _inside(found, token.replace("~1", "/").replace("~0", "~"), place)
        if isinstance(found, bool):
            return True
        if not isinstance(found, dict):
            raise Unresolved(place)
        if id(found) not in self._numbers:
            self._collect(found, address, tuple(fragment[1:].split("/")))
        return found

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
                raise TooLarge
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
            raise TooLarge
        self._sizes[number] = size
        return size


def states(pattern: str) -> int:
    """About how many states a pattern has, with what it repeats (`a{9}`) as often as it does."""
    groups = [0]
    last, place = 0, 0
    while place < len(pattern):
        sign = pattern[place]
        repeated = _REPEATED.match(pattern, place) if sign == "{" else None
        if sign == "(":
            groups.append(0)
        elif sign == ")" and len(groups) > 1:
            last = groups.pop() + 1
            groups[-1] += last
        elif repeated:
            more = last * max(0, max(int(each or 0) for each in repeated.groups()) - 1)
            groups[-1] += more
            last += more
            place = repeated.end() - 1
        else:
            begin = place
            place += sign == "\\"
            if sign == "[":
                place = max(place, pattern.find("]", place + 2))
            last = UNICODE if _OF_UNICODE.search(pattern, begin, place + 1) else 1
            groups[-1] += last
        place += 1
    return max(1, sum(groups))


def _joined(base: str, reference: str, path: Path) -> str:
    if not base:
        return reference
    try:
        return urljoin(base, reference)
    except ValueError:
        raise Unresolved(path) from None


def _inside(value: Any, token: str, path: Path) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,6}", token) and int(token) < len(value):
        return value[int(token)]
    raise Unresolved(path)
