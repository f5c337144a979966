"""Who asks by REST, and for whom: one of the caller's own users, as far as the caller is believed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from broker.errors import Forbidden
from broker.jobs.accepting import Caller
from broker.jobs.request import JobRequest
from broker.permissions.who import Who
from broker.rest.http import USERS_NAME, Request
from broker.tenants.limits import QUEUED, Limit
from broker.tenants.registry import Tenant

IN_DIALECTS = ("openai.safety_identifier", "openai.user", "anthropic.user_id")
"""In metadata: what OpenAI's and Anthropic's clients say of the user (`doors`)."""


def end_user_of(request: Request, body: JobRequest) -> str:
    """The user by which budgets go, empty for none.

    Raises:
        Forbidden: the request names one in its own field, and its caller may not.
    """
    if not request.may_name_users():
        if body.end_user is not None:
            raise Forbidden(f"The credential lacks the scope {USERS_NAME}.", code="missing_scope", param="end_user")
        return ""
    said = (body.metadata.get(name) for name in IN_DIALECTS)
    return body.end_user or next((each for each in said if isinstance(each, str) and each), "")


def asking(request: Request, door: str | None = None) -> Caller:
    """Who calls, whatever they ask for, by a dialect's door or that of the call."""
    whom = request.tenant, request.principal, door or request.door, request.request_id
    return Caller(*whom, key=request.key, member=request.member)


def who_asks(request: Request, tenant: Tenant) -> Who:
    """Who calls, as permissions know it."""
    return tenant.knows(asking(request).who)


def caller_of(request: Request, body: JobRequest, door: str, limits: Callable[[], Sequence[Limit]]) -> Caller:
    """Who asks for one job.

    Raises:
        Forbidden: as `end_user_of`.
    """
    queued, user = request.limits.get(QUEUED), end_user_of(request, body)
    return replace(asking(request, door), limits=limits, queued_jobs=queued, user=user)
