"""JSONPath (RFC 9535), as much of it as picks what is at a known place, in time that grows with the answer alone.

| in a path | stands for |
|---|---|
| `$` | the answer; each path begins with it |
| `.name`, `['any name']`, `["any name"]` | a field of an object |
| `[0]`, `[-1]` | an entry of a list, from its beginning or its end |
| `[1:3]`, `[:2]`, `[-2:]` | entries of a list |
| `.*`, `[*]` | all entries of a list, all values of an object |

Without the last two, a path finds one value; with them, a list of what there is. Descent (`..`), filters and unions are
not taken: with them a short path could take a long time, or find a place that nobody meant.
"""

import re
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 32

ALL = slice(None)

_STEP = re.compile(
    r"\.(?P<name>[^\W\d]\w*)"
    r"|\[\s*(?:'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\")\s*\]"
    r"|\[\s*(?P<index>-?\d{1,9})\s*\]"
    r"|\[\s*(?P<begin>-?\d{1,9})?\s*:\s*(?P<end>-?\d{1,9})?\s*\]"
    r"|(?P<all>\.\*|\[\s*\*\s*\])"
)

Step = str | int | slice


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was read."""

    text: str
    steps: tuple[Step, ...]

    def find(self, value: Any) -> Any:
        """What is at the path's place in a value, or a list of all where it may stand for several.

        Raises:
            LookupError: it stands for one, and there is nothing; its text is the path.
        """
        found = [value]
        for step in self.steps:
            found = [inner for each in found for inner in _inside(each, step)]
        if any(isinstance(step, slice) for step in self.steps):
            return found
        if not found:
            raise LookupError(self.text)
        return found[0]


def parse(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it is none, or not one of this kind; the message says from where on.
    """
    if not text.startswith("$"):
        raise ValueError("a path begins with $")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 20]!r} is no step of a path, which are names, indices, slices and *")
        steps.append(_step(found))
        at = found.end()
    if len(steps) > MOST_STEPS:
        raise ValueError(f"a path has {MOST_STEPS} steps at most")
    return Path(text, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    given = found.groupdict()
    if given["all"]:
        return ALL
    if given["index"]:
        return int(given["index"])
    name = next((given[form] for form in ("name", "single", "double") if given[form] is not None), None)
    return slice(*(int(given[end]) if given[end] else None for end in ("begin", "end"))) if name is None else name


def _inside(value: Any, step: Step) -> list[Any]:
    match value, step:
        case dict(), str() if step in value:
            return [value[step]]
        case list(), int() if -len(value) <= step < len(value):
            return [value[step]]
        case list(), slice():
            return value[step]
        case dict(), slice() if step == ALL:
            return list(value.values())
    return []
