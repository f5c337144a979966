"""Who asks by REST, and for whom: one of the caller's own users, as far as the caller is believed."""

from collections.abc import Callable, Sequence

from broker.errors import Forbidden
from broker.jobs.accepting import Caller
from broker.jobs.request import JobRequest
from broker.rest.http import USERS_NAME, Request
from broker.tenants.limits import QUEUED, Limit

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


def caller_of(request: Request, body: JobRequest, door: str, limits: Callable[[], Sequence[Limit]]) -> Caller:
    """Who asks for one job.

    Raises:
        Forbidden: as `end_user_of`.
    """
    return Caller(
        request.tenant,
        request.principal,
        door,
        request.request_id,
        limits=limits,
        key=request.key,
        queued_jobs=request.limits.get(QUEUED),
        user=end_user_of(request, body),
    )
