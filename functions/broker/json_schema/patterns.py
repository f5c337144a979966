"""Regular expressions of a schema: what it takes to hold one against a text."""

import re

UNICODE = 20
"""States of a class of Unicode's (`\\p{L}`), about."""

FANCY = 8_000
"""Units (`graph`) of a pattern with look-around or back-references on a text (`checking.MOST_STEPS`)."""

_FANCY = re.compile(r"\(\?[=!<>]|\\[1-9k]|[*+?}]\+")
_OF_UNICODE = re.compile(r"\\[pP]")
_REPEATED = re.compile(r"\{(\d{0,6}),?(\d{0,6})\}")


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


def extra(pattern: str) -> int:
    """What a pattern takes besides, whatever the text."""
    return FANCY if _FANCY.search(pattern) else 0
