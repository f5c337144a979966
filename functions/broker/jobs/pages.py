"""Pages of a tenant's jobs."""

import base64
import json
from typing import Any

from broker.errors import InvalidRequest
from broker.jobs.head import JOB_ID, Status
from broker.jobs.reading import view
from broker.jobs.store import Jobs
from broker.storage import Item

MAX_PAGE = 100


def page(
    jobs: Jobs,
    tenant: str,
    base_url: str,
    *,
    status: str | None,
    limit: int,
    cursor: str | None,
    application: str | None = None,
) -> dict[str, Any]:
    """A page of a tenant's jobs, newest first, or of one of its applications.

    With a `status` or an `application`, a page may be short and still have a `next_cursor`.

    Raises:
        InvalidRequest: names the field at fault.
    """
    if status is not None and status not in list(Status):
        raise InvalidRequest(f"status is one of {', '.join(Status)}.", param="status")
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is from 1 to {MAX_PAGE}.", param="limit")
    heads, following = jobs.of_tenant(tenant, limit=limit, cursor=_read_cursor(cursor, tenant))
    meant = [head for head in heads if status in (None, head.status.value) and application in (None, head.application)]
    rows = [view(head, {}, None, base_url) for head in meant]
    shown = (
        "id",
        "object",
        "status",
        "task",
        "model",
        "application",
        "created_at",
        "started_at",
        "ended_at",
        "error",
        "usage",
        "urls",
    )
    return {
        "object": "list",
        "data": [{name: row[name] for name in shown} for row in rows],
        "next_cursor": _write_cursor(following),
    }


def _write_cursor(key: Item | None) -> str | None:
    return base64.urlsafe_b64encode(json.dumps(key["id"]).encode()).decode() if key else None


def _read_cursor(cursor: str | None, tenant: str) -> Item | None:
    if cursor is None:
        return None
    try:
        job_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(job_id, str) or not JOB_ID.fullmatch(job_id):
            raise ValueError(cursor)
    except (ValueError, RecursionError):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor") from None
    return {"pk": f"JOB#{job_id}", "sk": "HEAD", "tenant": tenant, "id": job_id}
