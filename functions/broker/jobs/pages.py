"""Pages of a tenant's jobs."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from broker.errors import InvalidRequest
from broker.jobs.head import JOB_ID, Head
from broker.jobs.reading import view
from broker.jobs.searching import Wanted
from broker.jobs.store import Jobs
from broker.storage import Item

MAX_PAGE = 100

ANY = Wanted()

SHOWN = (
    *("id", "object", "status", "task", "model", "application"),
    *("created_at", "started_at", "ended_at", "error", "usage", "urls"),
)


def page(
    jobs: Jobs,
    tenant: str,
    base_url: str,
    *,
    limit: int,
    cursor: str | None,
    wanted: Wanted = ANY,
) -> dict[str, Any]:
    """A page of a tenant's jobs, newest first. With something `wanted`, it may be short and have a `next_cursor`.

    A tag is looked at beside each job that is otherwise wanted, by one more read.

    Raises:
        InvalidRequest: names the field at fault.
    """
    check_limit(limit)
    start = _read_cursor(cursor, tenant) or _before(wanted, tenant)
    heads, following = jobs.of_tenant(tenant, limit=limit, cursor=start)
    found = [head for head in heads if not wanted.is_past(head) and wanted.fits(head) and _has_tag(jobs, head, wanted)]
    is_over = bool(heads) and wanted.is_past(heads[-1])
    return {
        "object": "list",
        "data": [row(head, base_url) for head in found],
        "next_cursor": None if is_over else _write_cursor(following),
    }


def page_of_all(
    jobs: Jobs, tenants: Sequence[str], *, limit: int, cursor: str | None, wanted: Wanted
) -> dict[str, Any]:
    """The same of several tenants, each row with its own; ids are times, so that one place is a place in all.

    It costs a query for each tenant and a read for each job.

    Raises:
        InvalidRequest: names the field at fault.
    """
    check_limit(limit)
    starts = {name: _read_cursor(cursor, name) or _before(wanted, name) for name in tenants}
    ids = sorted(each for name in tenants for each in jobs.ids_of_tenant(name, limit=limit, cursor=starts[name]))
    newest = ids[::-1][:limit]
    heads = [head for head in map(jobs.find, newest) if head]
    found = [head for head in heads if not wanted.is_past(head) and wanted.fits(head) and _has_tag(jobs, head, wanted)]
    is_over = len(newest) < limit or (bool(heads) and wanted.is_past(heads[-1]))
    return {
        "object": "list",
        "data": [_row_of_any(head) for head in found],
        "next_cursor": None if is_over else _write_cursor({"id": newest[-1]}),
    }


def check_limit(limit: int) -> None:
    """Hold the size of a page.

    Raises:
        InvalidRequest: it is not one.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is from 1 to {MAX_PAGE}.", param="limit")


def row(head: Head, base_url: str) -> dict[str, Any]:
    """A job as it stands in a list."""
    whole = view(head, {}, None, base_url)
    return {name: whole[name] for name in SHOWN}


def _row_of_any(head: Head) -> dict[str, Any]:
    known = {name: value for name, value in row(head, "").items() if name != "urls"}
    return known | {"tenant": head.tenant, "door": head.door}


def _has_tag(jobs: Jobs, head: Head, wanted: Wanted) -> bool:
    if wanted.tag is None:
        return True
    return wanted.fits_tag(jobs.notes(head.id, "ASKED").get("ASKED", {}).get("metadata", {}))


def _before(wanted: Wanted, tenant: str) -> Item | None:
    """Where the jobs begin that were accepted before a time: no job needs to have this id."""
    if wanted.before is None:
        return None
    return _place(f"job_{wanted.before:012x}{'0' * 20}", tenant)


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
    return _place(job_id, tenant)


def _place(job_id: str, tenant: str) -> Item:
    return {"pk": f"JOB#{job_id}", "sk": "HEAD", "tenant": tenant, "id": job_id}
