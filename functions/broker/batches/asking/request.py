"""What a client may ask of a batch: the body of `POST /v1/batches`.

Its rows are checked when they are run, each as a request is: here only that they are objects, and not too many.
"""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, create_model, model_validator

from broker.batches.asking.parts import BatchPrompt, BatchWebhook, Endpoint, Format, Hours, Output, OutputExpiry
from broker.clock import NANO
from broker.errors import InvalidRequest
from broker.jobs.field_errors import Spelled, at
from broker.jobs.fields import ObjectAddress, Strict
from broker.jobs.request import JobRequest, Metadata, parsed

MOST_INLINE = 10_000
"""Rows that a body may hold itself; more come as a file."""

MOST_WINDOW_S = 7 * 86_400
"""A week: the longest `completion_window`, and how far ahead `not_before` may lie."""

LEAST_WINDOW_S = 60

MOST_ASKED_BYTES = 16_000
"""Of all that a body says beside its rows: it stands in the batch's record, which is written twice a shard."""

OF_A_ROW = (
    *("task", "model", "routing", "parameters", "output_schema", "cache", "coalesce", "context", "webhook"),
    *("bus_events", "priority", "deadline_seconds", "timeout_seconds", "ttl_seconds", "data_class"),
    "metadata",
)
"""Fields of a job's request that `defaults` may give for all rows."""

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Defaults: type[BaseModel] = create_model(
    "Defaults",
    __base__=Strict,
    __doc__="What rows say that do not say otherwise: fields of a job's request.",
    **{name: (JobRequest.model_fields[name].annotation, JobRequest.model_fields[name]) for name in OF_A_ROW},  # type: ignore[call-overload]
)


Window = Annotated[str, Spelled("^[1-9][0-9]{0,5}[smhd]$", "it has to be a span such as 24h, 30m or 7d, or seconds")]
Rows = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_INLINE, fail_fast=True)]


class BatchRequest(Strict):
    """Rows of requests as one piece of work. One of `input_file_id`, `s3`, `requests` and `variables` is needed."""

    endpoint: Endpoint | None = None
    """Rows are then requests to this route of OpenAI's API (`custom_id`, `method`, `url`, `body`), and results are its
    answers; else rows are requests of jobs, and results are jobs."""
    input_file_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """A file that was uploaded (`POST /v1/files`)."""
    s3: ObjectAddress | None = None
    """`s3://{inbox}/{tenant}/…`; a tenant may only name what is its own."""
    requests: Rows | None = None
    """The rows themselves."""
    prompt: BatchPrompt | None = None
    """Rows are then the variables of this prompt, and no requests."""
    variables: Rows | None = None
    """The rows themselves, for `prompt`."""
    format: Format | None = None
    """Of the file."""
    defaults: Defaults | None = None  # type: ignore[valid-type]
    dedupe: bool = False
    """Identical rows are paid for once; the others get the first one's answer, and say so."""
    max_cost_usd: float | None = Field(default=None, gt=0, le=1_000_000)
    """The batch stops before its rows could cost more than this."""
    completion_window: Window | int = "24h"
    """How long its rows may take, from when they may begin; those that have not ended then expire. A week at most."""
    not_before: Annotated[str, Field(max_length=40)] | None = None
    """No row begins earlier (RFC 3339, with its offset); a week ahead at most."""
    off_peak: Hours | None = None
    webhook: BatchWebhook | None = None
    output: Output = Field(default_factory=Output)
    output_expires_after: OutputExpiry | None = None
    """When the files of results are over: thirty days after they were made, unless said."""
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_its_rows(self) -> Self:
        ways = [name for name in WAYS if getattr(self, name) is not None]
        if len(ways) != 1:
            raise at(ways[1] if ways else "requests", f"one of {', '.join(WAYS)} is needed, and no more than one")
        way = ways[0]
        if self.endpoint:
            for name in ("prompt", "defaults"):
                if getattr(self, name) is not None:
                    raise at(name, "it is for rows without an endpoint")
        if way == "requests" and self.prompt:
            raise at("prompt", "requests name their prompts themselves; rows for one prompt are variables")
        if way == "variables" and not self.prompt:
            raise at("prompt", "it is needed with variables")
        if self.format and way in ("requests", "variables"):
            raise at("format", "it is for files")
        if self.output_expires_after and self.output.kind != "files":
            raise at("output_expires_after", "it is for results that are files")
        if self.format and self.format.type == "csv" and not self.prompt:
            raise at("prompt", "it is needed with csv, whose rows are its variables")
        return self

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if not LEAST_WINDOW_S <= self.window_s <= MOST_WINDOW_S:
            raise at("completion_window", f"it has to be from {LEAST_WINDOW_S} seconds to {MOST_WINDOW_S} (7d)")
        if self.not_before is not None and moment(self.not_before) is None:
            raise at("not_before", "it has to be a time with its offset, such as 2026-12-01T22:00:00Z")
        return self

    @property
    def inline(self) -> list[dict[str, Any]] | None:
        """The rows that the body has itself."""
        return self.requests or self.variables

    @property
    def window_s(self) -> int:
        """Seconds of `completion_window`."""
        given = self.completion_window
        return given if isinstance(given, int) else int(given[:-1]) * UNITS[given[-1]]

    def begins_at(self, now: int) -> int:
        """When rows may begin for `not_before`: a time that has passed is now. Milliseconds.

        Raises:
            InvalidRequest: it lies too far ahead.
        """
        begins = (moment(self.not_before) if self.not_before else None) or now
        if begins > now + MOST_WINDOW_S * 1000:
            raise InvalidRequest(
                "not_before: it lies more than 7 days ahead.", code="invalid_field", param="not_before"
            )
        return max(begins, now)

    def window(self, usual: dict[str, Any] | None) -> dict[str, Any] | None:
        """When rows may begin, day by day, as `Batch.asked` has it; `usual` where the request does not say."""
        return self.off_peak.model_dump() if self.off_peak else usual


WAYS = ("input_file_id", "s3", "requests", "variables")


def parse_batch(body: Any) -> BatchRequest:
    """Check a body against the contract.

    Raises:
        InvalidRequest: see `jobs.request.parsed`; or it says too much beside its rows.
    """
    request = parsed(BatchRequest, body)
    beside = {name: value for name, value in body.items() if name not in ("requests", "variables")}
    if len(json.dumps(beside, ensure_ascii=False).encode()) > MOST_ASKED_BYTES:
        largest = max(beside, key=lambda name: len(json.dumps(beside[name], ensure_ascii=False)))
        message = f"{largest}: all that a batch says beside its rows has {MOST_ASKED_BYTES} bytes at most"
        raise InvalidRequest(message, code="invalid_field", param=largest)
    return request


def asked_of(request: BatchRequest, now: int, usual_hours: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a batch keeps of its request beside the rows (`Batch.asked`); the tables hold no fractions.

    Args:
        request: the request.
        now: milliseconds.
        usual_hours: when rows of the tenant may begin, where the request does not say.
    """
    asked: dict[str, Any] = {"output": request.output.model_dump(exclude_none=True)}
    asked["input"] = (request.format or Format()).model_dump(exclude_none=True)
    asked["input"]["form"] = asked["input"].pop("type")
    if request.endpoint:
        asked["endpoint"] = request.endpoint
    if request.input_file_id:
        asked["input_file_id"] = request.input_file_id
    if request.output_expires_after:
        asked["output_keep_s"] = request.output_expires_after.seconds
    if request.prompt:
        asked["prompt"] = request.prompt.model_dump(exclude_none=True)
    if request.defaults:
        asked["defaults"] = request.defaults.model_dump_json(exclude_unset=True)
    if request.dedupe:
        asked["dedupe"] = True
    if request.max_cost_usd is not None:
        asked["max_cost"] = max(1, int(request.max_cost_usd * NANO))
    if (begins_at := request.begins_at(now)) > now:
        asked["not_before"] = begins_at
    if window := request.window(usual_hours):
        asked["window"] = window
    if request.webhook:
        asked["webhook"] = request.webhook.model_dump()
    if request.metadata:
        asked["metadata"] = dict(request.metadata)
    asked["completion_window_s"] = request.window_s
    return asked


_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")


def moment(text: str) -> int | None:
    """Milliseconds of a time in RFC 3339 (section 5.6); None where it is none."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text.upper().replace("Z", "+00:00")).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
