"""JSON that was bent: at a few places of a good reply lies something else, or nothing."""

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as some

Path = tuple[Any, ...]


def _deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [{"text": value}]
    return value


JUNK = some.sampled_from(
    [
        *(None, True, False, 0, -1, 3.0, 1e308, 10**30, -(10**400), "", " \n", "x", "7", "\x00", "null", "[DONE]"),
        *([], {}, [None], [[]], [{}], {"x": {}}, {"text": {"text": []}}, {"error": {"code": 429}}, {"error": "x"}),
        *(_deep(300), ["text"] * 50, "{" * 300, '{"age": 3}', "x" * 5000, {"role": 5, "content": [5]}),
    ]
)
"""Types swapped, nulls, huge numbers, deep nesting, strings in place of objects."""

GONE = object()


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place of a value."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, key))


def bent(value: Any, path: Path, junk: Any) -> Any:
    """A copy of a value with something else at a place; what is no JSON (a stream) stays what it is."""
    if not path:
        return junk
    key, *rest = path
    if isinstance(value, dict):
        made = {name: bent(each, tuple(rest), junk) if name == key else each for name, each in value.items()}
        return {name: each for name, each in made.items() if each is not GONE}
    changed = [bent(each, tuple(rest), junk) if place == key else each for place, each in enumerate(value)]
    return [each for each in changed if each is not GONE]


def mutation() -> some.SearchStrategy[Callable[[Any], Any]]:
    """What bends a reply at one to four places, of those that it has by then."""

    def make(steps: list[tuple[int, Any]]) -> Callable[[Any], Any]:
        def mutate(value: Any) -> Any:
            for at, junk in steps:
                places = list(paths(value))
                place = places[at % len(places)]
                value = bent(value, place, None if junk is GONE and not place else junk)
            return value

        return mutate

    step = some.tuples(some.integers(0, 10_000), JUNK | some.just(GONE))
    return some.lists(step, min_size=1, max_size=4).map(make)
