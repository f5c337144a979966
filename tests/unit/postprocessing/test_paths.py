"""JSONPath: what a path finds, and which paths there are not."""

from typing import Any

import pytest
from broker.postprocessing.paths import MOST_STEPS, parse

ANSWER: dict[str, Any] = {
    "title": "Lamps",
    "a b": {"$": None},
    "items": [{"n": 1, "tags": ["x", "y"]}, {"n": 2, "tags": []}, {"m": 3}],
    "größe": 0,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", ANSWER),
        ("$.title", "Lamps"),
        ("$['title']", "Lamps"),
        ('$["a b"]["$"]', None),
        ("$.größe", 0),
        ("$.items[0].n", 1),
        ("$.items[-1].m", 3),
        ("$.items[*].n", [1, 2]),
        ("$.items[0:2].tags[*]", ["x", "y"]),
        ("$.items[1:].m", [3]),
        ("$.items[ : -1 ].n", [1, 2]),
        ("$.items[5:]", []),
        ("$.*.*", [None, *ANSWER["items"]]),
        ("$.title[*]", []),
    ],
)
def test_a_path_finds(path: str, found: Any) -> None:
    assert parse(path).find(ANSWER) == found


@pytest.mark.parametrize("path", ["$.none", "$.title.more", "$.items[3]", "$.items[-4]", "$.items.n", "$[0]"])
def test_a_place_that_is_not_there_is_told_by_its_path(path: str) -> None:
    with pytest.raises(LookupError) as failure:
        parse(path).find(ANSWER)
    assert failure.value.args == (path,)


@pytest.mark.parametrize(
    "path",
    [
        *("", "title", "@.title", "$title", "$.", "$..title", "$.items[?(@.n>1)]", "$.items[0,1]", "$.items[0:2:1]"),
        *("$['a", "$['a\\'b']", "$[]", "$[1e3]", "$.a-b", "$.1", "$ .a", "$.a\n", "$[9999999999]"),
        "$" + ".a" * (MOST_STEPS + 1),
    ],
)
def test_what_is_no_path_of_this_kind_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse(path)


def test_wildcards_find_each_place_once_however_many_there_are() -> None:
    value: Any = [1, 2]
    for _ in range(12):
        value = [value, value]
    path = parse("$" + "[*]" * 13)
    assert len(path.find(value)) == 2**13, "as many as there are, and no more"
    assert parse("$" + "[*]" * MOST_STEPS).find(value) == []
