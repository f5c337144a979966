"""Prompts as endpoints of their own: which there are, and the body of `POST /v1/prompts/{id}/run` as that of a job."""

import re
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import InvalidRequest
from broker.prompts.listing import MOST_LISTED
from broker.rest.callers import who_asks
from broker.rest.http import Reply, Request
from broker.routing.permitting import barring, first_against, is_about_all

if TYPE_CHECKING:
    from broker.rest.api import Api

OF_THE_PROMPT = ("variables", "version", "label")
"""What belongs to the prompt; all else is the job's."""

NOT_TAKEN = ("prompt", "task")


def run_body(prompt_id: str, body: Any) -> dict[str, Any]:
    """The job request; it is checked like any other, so faults of variables are told as `prompt.variables.…`.

    Raises:
        InvalidRequest: the body is no object, or says what the path says.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_body")
    for name in NOT_TAKEN:
        if name in body:
            raise InvalidRequest(f"{name}: the path names the prompt.", code="invalid_field", param=name)
    prompt = {name: body[name] for name in OF_THE_PROMPT if name in body}
    job = {name: value for name, value in body.items() if name not in OF_THE_PROMPT}
    return {**job, "prompt": {"id": prompt_id, **prompt}}


def list_prompts(api: "Api", request: Request) -> Reply:
    """`GET /prompts`: what may be run, and which variables it takes."""
    limit, now = request.number("limit", 20), now_ms()
    if not 1 <= limit <= MOST_LISTED:
        raise InvalidRequest(f"limit is from 1 to {MOST_LISTED}.", param="limit")
    after = request.query.get("cursor") or None
    if after is not None and not re.fullmatch("[!-~]{1,128}", after):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor")
    tenant, catalog = api.tenants.get(request.tenant, now), api.models.catalog(now)
    who = who_asks(request, tenant)

    def may_run(prompt: str, model: str) -> bool:
        asked = {"task": "chat", "prompt": {"id": prompt}}
        rules = barring(catalog.permissions, who, asked)
        if any(is_about_all(rule) for rule in rules):
            return False
        return model == "auto" or any(
            (tenant.models is None or each in tenant.models) and first_against(rules, catalog.models[each]) is None
            for each in catalog.expand(model)
        )

    return Reply(200, api.prompts(may_run, limit=limit, after=after))
