"""The replies of the audit trail."""

from typing import Annotated, Any, Literal

from broker.audit.record import KINDS
from broker.contract.common import OneOf, Shown, Time


class AuditRecord(Shown):
    """One act. What it was about are ids and codes, never a payload."""

    object: Literal["audit.record"]
    id: str
    """The same where one act is on record twice."""
    kind: Annotated[str, OneOf(tuple(KINDS))]
    at: Time | None
    """When it was done."""
    recorded_at: Time
    """When it was put on record, some seconds later."""
    block: int
    """The block of the chain that it is in."""
    tenant: str | None
    by: str | None
    """Who: a principal of the tenant, or the ARN of an operator."""
    key: str | None
    """The id of the API key."""
    subject: str | None
    """The job, batch, file or entry that it was about."""
    outcome: str | None
    reason: str | None
    """The code of an error."""
    route: str | None
    door: str | None
    request_id: str | None
    details: dict[str, Any]
    """Facts that only some kinds have."""


class AuditRecords(Shown):
    """A page of the trail, the newest records first."""

    object: Literal["list"]
    data: list[AuditRecord]
    next_cursor: str | None
    """A page may be empty, or short, and go on."""
