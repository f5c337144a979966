"""Errors as problem details (RFC 9457), for who accepts them."""

from typing import Annotated

from pydantic import Field

from broker.contract.common import Shown
from broker.contract.errors import Budget, ReachedLimit


class Problem(Shown):
    """An error as problem details (RFC 9457), for who accepts `application/problem+json`."""

    type: Annotated[str, Field(pattern="^urn:inference-broker:error:")]
    """A name of the kind; nothing is to be found under it."""
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    """For people."""
    code: str
    """For programs, as in `Error`; `param`, `budget` and `limit` too are those of `Error`."""
    param: str | None
    request_id: str
    budget: Budget | None = None
    limit: ReachedLimit | None = None
