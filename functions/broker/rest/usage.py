"""`GET /usage`: what the tenant's jobs used and cost."""

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms, usd
from broker.errors import InvalidRequest
from broker.rest.http import Reply, Request
from broker.tenants.usage import LONGEST, Used

if TYPE_CHECKING:
    from broker.rest.api import Api

MOST_MONTHS, MOST_DAYS = 12, 366

MOST_ROWS, USUAL_ROWS = 1_000, 100


def list_usage(api: "Api", request: Request) -> Reply:
    """`GET /usage`: by month and model as it is booked; with `by`, by day and what the tenant has counted."""
    now = now_ms()
    last = _day(request, "to") or datetime.fromtimestamp(now / 1000, UTC).date()
    first = _day(request, "from") or last.replace(day=1)
    if first > last:
        raise InvalidRequest("from is not after to.", param="from")
    by = request.query.get("by") or None
    if by is None:
        months = _months(first, last)
        if len(months) > MOST_MONTHS:
            raise InvalidRequest(f"There are {MOST_MONTHS} months at most from one to the other.", param="from")
        return _told("model", api.usage().by_month(request.tenant, months), None)
    counted = api.tenants.get(request.tenant, now).usage_by
    if by not in counted:
        known = ", ".join(counted) or "nothing"
        raise InvalidRequest(f"by is what the tenant has counted: {known}.", code="not_counted", param="by")
    if (last - first).days > MOST_DAYS:
        raise InvalidRequest(f"There are {MOST_DAYS} days at most from one to the other.", param="from")
    limit = request.number("limit", USUAL_ROWS)
    if not 1 <= limit <= MOST_ROWS:
        raise InvalidRequest(f"limit is from 1 to {MOST_ROWS}.", param="limit")
    cursor = request.query.get("cursor") or None
    if cursor is not None and not re.fullmatch(rf"\d{{4}}-\d\d-\d\d#[^#]{{1,{3 * LONGEST}}}", cursor, re.ASCII):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor")
    if cursor is not None and not first.isoformat() <= cursor[:10] <= last.isoformat():
        raise InvalidRequest("The cursor is of other days.", param="cursor")
    return _told(by, *api.usage().by_day(request.tenant, by, first, last, limit, cursor))


def _told(by: str, rows: list[Used], following: str | None) -> Reply:
    return Reply(200, {"object": "list", "by": by, "data": list(map(_row, rows)), "next_cursor": following})


def _row(used: Used) -> dict[str, Any]:
    counts = used.counts
    return {
        "period": used.period,
        "value": used.value,
        "jobs": counts.get("jobs"),
        "calls": counts["calls"],
        "input_tokens": counts["input_tokens"],
        "output_tokens": counts["output_tokens"],
        "cost_usd": usd(counts["nusd"]),
        "unknown_usd": usd(counts["unknown_nusd"]),
    }


def _day(request: Request, name: str) -> date | None:
    text = request.query.get(name) or None
    if text is None:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} is a day, such as 2026-11-30.", param=name) from None


def _months(first: date, last: date) -> list[str]:
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in numbers[: MOST_MONTHS + 1]]
