"""Who asked for the request of a job, as it is kept, and what is refused to them before there is one."""

from collections.abc import Mapping
from typing import Any

from broker.errors import PermissionDenied
from broker.permissions.refusing import Denial, OnDenied
from broker.permissions.who import ASKED_BY, Who
from broker.routing.permitting import check_named, check_request
from broker.routing.routes import Catalog
from broker.tenants.registry import Tenant


def who_of(request: Mapping[str, Any], tenant: Tenant) -> Who:
    """As what permissions are to know the caller, by what the tenant's entry says now."""
    return tenant.knows(Who.of(tenant.id, request.get(ASKED_BY, {})))


def denial_of(error: PermissionDenied, who: Who, job_id: str = "") -> Denial:
    """What those who keep watch are told of a refusal."""
    return Denial(who, str(error.beside["permission"]["rule"]), error.param, job_id)


def check_rows(asked: Mapping[str, Any], who: Who, catalog: Catalog, on_denied: OnDenied) -> None:
    """Look at what all rows of a batch ask for, before the first of them is read.

    Args:
        asked: the fields of a request that all of them have; its `param` is told as one of `defaults`.
        who: who asks for the rows.
        catalog: the rules, and the models that names stand for.
        on_denied: told of a refusal.

    Raises:
        PermissionDenied: the caller may not.
    """
    try:
        check_request(catalog.permissions, who, asked)
        check_named(asked, who, catalog)
    except PermissionDenied as error:
        on_denied(denial_of(error, who))
        if error.param and error.param != "prompt.id":
            error.param = f"defaults.{error.param}"
        raise
