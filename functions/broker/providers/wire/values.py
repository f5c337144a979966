"""What lies where in JSON that others made: nothing of it is as it should be until it was looked at."""

import re
from typing import Any

_COUNT = re.compile(r"[0-9]{1,12}(\.0*)?")


def field(body: Any, *path: str) -> Any:
    """What lies at a path of objects; None where it leads nowhere."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def counted(*reported: Any) -> int | None:
    """The sum of the counts that a reply tells (whole numbers; some as floats, some as texts); None for none."""
    known = [found for each in reported if (found := _count(each)) is not None]
    return sum(known) if known else None


def _count(reported: Any) -> int | None:
    if isinstance(reported, str) and _COUNT.fullmatch(reported):
        reported = float(reported)
    return int(reported) if type(reported) in (int, float) and 0 <= reported < 1e12 else None
