"""Limits of who calls the REST API: which there are, and what a reply tells of them.

That is in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), and on the routes of OpenAI's and
Anthropic's clients in the headers that these know.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from broker.clock import iso, now_ms
from broker.errors import RateLimited, TooLarge, TooManyAtOnce
from broker.jobs.accepting import Acceptance
from broker.rest.http import Reply, Request
from broker.tenants.limiting import Standing
from broker.tenants.limits import BODY_BYTES, QUEUED, SECONDS, Limit, What, limits_of
from broker.tenants.open_jobs import places_of
from broker.tenants.registry import Tenant

if TYPE_CHECKING:
    from broker.rest.api import Api

WHATS: tuple[What, ...] = ("requests", "tokens")


def limits_for(request: Request, tenant: Callable[[], Tenant]) -> tuple[Limit, ...]:
    """The limits by time of a request's tenant and key, once its size is within theirs.

    Raises:
        TooLarge: as `check_size`.
    """
    found = tenant()
    check_size(request, found)
    return found.limits + limits_of("key", request.key, request.limits)


def check_size(request: Request, tenant: Tenant) -> None:
    """Look at the size of a body that asks for work.

    Raises:
        TooLarge: it has more bytes than the tenant, or the key, may send.
    """
    for most in (tenant.body_bytes, request.limits.get(BODY_BYTES)):
        if most is not None and len((request.body or "").encode(errors="surrogatepass")) > most:
            raise TooLarge(f"The body has more than the {most:,} bytes that its caller may send.", code=BODY_BYTES)


def list_limits(api: "Api", request: Request) -> Reply:
    """`GET /limits`: the limits by time of the tenant, and of the key that asks, and how they stand."""
    now = now_ms()
    tenant = api.tenants.get(request.tenant, now)
    limits = tenant.limits + limits_of("key", request.key, request.limits)
    found = api.standings(request.tenant, limits, now)
    rows = [
        {
            "name": limit.name,
            "scope": limit.scope,
            "id": limit.id,
            "amount": limit.amount,
            "left": left,
            "full_at": iso(full_at),
        }
        for limit, left, full_at in map(attrgetter("limit", "left", "full_at"), found)
    ]
    places = places_of(request.tenant, tenant.queued_jobs, request.key, request.limits.get(QUEUED))
    return Reply(200, {"object": "list", "data": [*rows, *api.places(places)]})


def telling(
    request: Request, limits: Callable[[], Sequence[Limit]], door: str, now: int, accept: Callable[[], Acceptance]
) -> Acceptance:
    """Accept it, and have the reply tell how the limits stand, whether it took from them or was refused by one."""
    try:
        accepted = accept()
    except TooManyAtOnce as error:
        if told := error.beside.get("limit"):
            name = told["name"] if told["scope"] == "tenant" else f"key_{told['name']}"
            request.told["ratelimit-policy"] = f'"{name}";q={told["amount"]};qu="jobs"'
            request.told["ratelimit"] = f'"{name}";r={told["left"]}'
        raise
    except RateLimited as error:
        request.told.update(_headers(limits(), [_refusing(error, limits(), now)], now, door))
        raise
    if accepted.taken and accepted.taken.standings:
        standings = accepted.taken.standings
        request.told.update(_headers([each.limit for each in standings], standings, now, door))
    return accepted


def _refusing(error: RateLimited, limits: Sequence[Limit], now: int) -> Standing:
    """How the limit stands that refused; the time is when it will allow what was asked."""
    told: dict[str, Any] = error.beside["limit"]
    limit = next(each for each in limits if (each.scope, each.name) == (told["scope"], told["name"]))
    return Standing(limit, told["left"], now + round((error.retry_after or 0) * 1000))


def _headers(limits: Sequence[Limit], standings: Sequence[Standing], now: int, door: str) -> dict[str, str]:
    state = (f'"{_name(each.limit)}";r={each.left};t={_seconds(each.full_at - now)}' for each in standings)
    return {
        "ratelimit-policy": ", ".join(map(_policy, limits)),
        "ratelimit": ", ".join(state),
        **_dialect(standings, now, door),
    }


def _name(limit: Limit) -> str:
    return limit.name if limit.scope == "tenant" else f"key_{limit.name}"


def _policy(limit: Limit) -> str:
    unit = "" if limit.what == "requests" else f';qu="{limit.what}"'
    return f'"{_name(limit)}";q={limit.amount};w={SECONDS[limit.window]}{unit}'


def _seconds(ms: int) -> int:
    return max(0, -(-ms // 1000))


def _dialect(standings: Sequence[Standing], now: int, door: str) -> dict[str, str]:
    """Of requests and of tokens the limit that has the smallest part left, which a client meets first."""
    if door not in ("openai", "anthropic"):
        return {}
    found: dict[str, str] = {}
    for what in WHATS:
        some = [each for each in standings if each.limit.what == what]
        if not some:
            continue
        first = min(some, key=lambda each: each.left / each.limit.amount)
        facts = {"limit": str(first.limit.amount), "remaining": str(first.left)}
        if door == "openai":
            facts["reset"] = _spelled(first.full_at - now)
            found |= {f"x-ratelimit-{name}-{what}": value for name, value in facts.items()}
        else:
            facts["reset"] = str(iso(first.full_at))
            found |= {f"anthropic-ratelimit-{what}-{name}": value for name, value in facts.items()}
    return found


def _spelled(ms: int) -> str:
    """A time as OpenAI spells it: `850ms`, `12s`, `6m0s`."""
    if ms < 1000:
        return f"{max(0, ms)}ms"
    minutes, seconds = divmod(_seconds(ms), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
