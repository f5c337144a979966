"""Patterns that are compiled at their first use: most processes start, and most texts pass, without most of them."""

import re
from typing import Any, AnyStr, Generic, cast

USED = ("match", "fullmatch", "search", "finditer", "findall", "split", "sub")


class _Pattern(Generic[AnyStr]):
    def __init__(self, source: AnyStr, flags: int):
        self._source: AnyStr = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name not in USED:
            raise AttributeError(name)
        compiled = re.compile(self._source, self._flags)
        # From now on these are found without coming by here.
        vars(self).update({each: getattr(compiled, each) for each in USED})
        return vars(self)[name]


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, but later; an error in the source shows at the first use."""
    return cast(re.Pattern[AnyStr], _Pattern(source, flags))
