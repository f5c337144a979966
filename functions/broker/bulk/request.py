"""What a client may ask of many jobs at once: the body of `POST /v1/jobs/bulk`."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from broker.batches.asking.request import moment
from broker.clock import iso
from broker.jobs.field_errors import at
from broker.jobs.fields import Strict
from broker.jobs.head import Status
from broker.jobs.request import parsed

Action = Literal["cancel", "retry"]

TAKES: dict[Action, tuple[Status, ...]] = {
    "cancel": (Status.QUEUED, Status.RUNNING),
    "retry": (Status.FAILED, Status.EXPIRED, Status.CANCELED),
}
"""The statuses that an action is for. What was blocked is not run again: another model might be asked then."""

USUAL: dict[Action, tuple[Status, ...]] = {"cancel": TAKES["cancel"], "retry": (Status.FAILED,)}
"""Those that are meant where the filter names none."""


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


Statuses = Annotated[list[Status], Field(min_length=1, max_length=5), BeforeValidator(_as_list, list[Status] | Status)]


class Tag(Strict):
    """A key of jobs' `metadata`, and its value."""

    key: Annotated[str, Field(min_length=1, max_length=64)]
    value: Annotated[str, Field(max_length=512)]


class Filter(Strict):
    """Which jobs are meant: those for which all of it is true."""

    status: Statuses | None = None
    """One or several; `queued` and `running` for a cancel, `failed` for a retry, unless it is said."""
    batch: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Rows of this batch."""
    tag: Tag | None = None
    created_after: Annotated[str, Field(max_length=40)] | None = None
    """RFC 3339, with its offset; a job of that very moment is meant too."""
    created_before: Annotated[str, Field(max_length=40)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if not self.model_fields_set:
            raise at("filter", "it has to name at least one of status, batch, tag, created_after and created_before")
        for name in ("created_after", "created_before"):
            given = getattr(self, name)
            if given is not None and moment(given) is None:
                raise at(f"filter.{name}", "it has to be a time with its offset, such as 2026-12-01T22:00:00Z")
        return self


class BulkRequest(Strict):
    """Something that is done to all jobs that a filter finds, of those that there are when it is asked."""

    action: Action
    filter: Filter
    dry_run: bool = False
    """Count them, and say what a retry could cost; nothing is done to them."""

    @model_validator(mode="after")
    def _is_for_these(self) -> Self:
        takes = TAKES[self.action]
        if any(each not in takes for each in self.filter.status or ()):
            raise at("filter.status", f"for {self.action} it has to be of {', '.join(takes)}")
        return self

    def meant(self, now: int) -> dict[str, Any]:
        """The filter as a bulk keeps it: nothing is left open, and no job is meant that comes later."""
        said = self.filter
        before = moment(said.created_before) if said.created_before else None
        known = {
            "status": [each.value for each in said.status or USUAL[self.action]],
            "batch": said.batch,
            "tag": said.tag.model_dump() if said.tag else None,
            "after": moment(said.created_after) if said.created_after else None,
            "before": min(now, now if before is None else before),
        }
        return {name: value for name, value in known.items() if value is not None}


def parse_bulk(body: Any) -> BulkRequest:
    """Check a body against the contract.

    Raises:
        InvalidRequest: see `jobs.request.parsed`.
    """
    return parsed(BulkRequest, body)


def shown_filter(meant: dict[str, Any]) -> dict[str, Any]:
    """A filter in its public form."""
    return {
        "status": meant["status"],
        "batch": meant.get("batch"),
        "tag": meant.get("tag"),
        "created_after": iso(meant.get("after")),
        "created_before": iso(meant["before"]),
    }
