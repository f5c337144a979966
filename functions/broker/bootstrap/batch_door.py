"""Builds the door for batches; put together when a call is about them."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from broker.bootstrap import batching
from broker.bootstrap.adapters import database, files, is_local, models, prompt_texts, setting, tenants
from broker.bootstrap.running import deliveries
from broker.clock import now_ms

if TYPE_CHECKING:
    from broker.batches.asking.estimating import EstimateBatch
    from broker.batches.asking.request import BatchRequest
    from broker.batches.asking.submitting import Submit
    from broker.batches.batch import Batch
    from broker.batches.viewing import ShowBatch
    from broker.cloud.results import OutboxResults
    from broker.jobs.accepting import Caller
    from broker.rest.batches import BatchDoor
    from broker.tenants.registry import Tenant

ALONE = (3, 4)
"""The part of all jobs at once that a tenant alone may have (`jobs.occupying.TIMES_ROOM`)."""


@cache
def submit() -> "Submit":
    """Taking batches."""
    from broker.batches.asking.submitting import Submit
    from broker.cloud.clients import client
    from broker.cloud.row_files import RowFiles
    from broker.delivery.addresses import check_form
    from broker.errors import Forbidden, InvalidRequest
    from broker.metrics import batch_unstarted, permission_denied
    from broker.prompts.templates import Prompts
    from broker.steps.asked_by import check_rows

    prompts = Prompts(database(), prompt_texts())

    def check_names(request: "BatchRequest", caller: "Caller", tenant: "Tenant", now: int) -> None:
        if request.prompt:
            prompts.check(request.prompt.model_dump(exclude_none=True), now)
        name = getattr(request.defaults, "model", "auto")
        found = () if name == "auto" else models().catalog(now).expand(name)
        if name != "auto" and not found:
            raise InvalidRequest(f"There is no model {name!r}.", code="unknown_model", param="defaults.model")
        if found and tenant.models is not None and tenant.models.isdisjoint(found):
            raise Forbidden("The tenant may not use this model.", code="model_not_allowed", param="defaults.model")
        asked = {"task": "chat", **_common(request)}
        who = tenant.knows(replace(caller, door="batch").who)
        check_rows(asked, who, models().catalog(now), permission_denied)

    return Submit(
        *(batching.batches(), tenants().get, RowFiles(client("s3"), files().open), batching.row_bytes()),
        *(batching.batch_workflows(), lambda url: check_form(url, allow_private=is_local()), check_names),
        *(setting("INBOX_BUCKET"), batching.batch_room(), batch_unstarted),
    )


def _common(request: "BatchRequest") -> dict[str, Any]:
    """What all rows of a batch ask for, as a request has it."""
    asked: dict[str, Any] = request.defaults.model_dump(mode="json", exclude_unset=True) if request.defaults else {}
    return asked | ({"prompt": request.prompt.model_dump(exclude_none=True)} if request.prompt else {})


@cache
def estimate() -> "EstimateBatch":
    """What batches would cost."""
    from broker.batches.asking.estimating import EstimateBatch
    from broker.batches.asking.sampling import Sampling
    from broker.bootstrap.doors import estimate_job
    from broker.jobs.account_limit import told
    from broker.routing.question import USUAL_OUTPUT

    def batch_price(model_id: str, tokens_in: int, most_out: int, now: int) -> int | None:
        model = models().get(model_id, now)
        if model.batch_price_in is None or model.batch_price_out is None:
            return None
        return tokens_in * model.batch_price_in + min(most_out, USUAL_OUTPUT) * model.batch_price_out

    def at_once() -> int | None:
        known = told(database())
        return known * ALONE[0] // ALONE[1] if known is not None else None

    return EstimateBatch(submit(), Sampling(batching.row_bytes()), estimate_job(), batch_price, at_once)


@cache
def batch_door() -> "BatchDoor":
    """The routes of batches."""
    from broker.batches.flow.stopping import Stops
    from broker.batches.results.erasing import EraseBatch
    from broker.batches.viewing import ShowBatch
    from broker.cloud.clients import client
    from broker.cloud.results import ResultObjects
    from broker.rest.batches import BatchDoor

    def show(url: str) -> "ShowBatch":
        return ShowBatch(batching.batches(), url)

    stops = Stops(batching.release())
    results = ResultObjects(lambda: client("s3"), setting("PAYLOADS_BUCKET"))
    erase = EraseBatch(database(), batching.release(), results, _discard)

    def redeliver(batch_id: str, now: int) -> list[str]:
        return deliveries().redeliver(batch_id, now)

    return BatchDoor(batching.batches(), submit(), estimate(), stops, show, _link, erase, redeliver)


@cache
def _outbox_results() -> "OutboxResults":
    from broker.cloud.clients import client
    from broker.cloud.results import OutboxResults

    return OutboxResults(lambda: client("s3"), setting("OUTBOX_BUCKET"))


def _discard(batch: "Batch") -> None:
    """Delete the files of a batch's results."""
    from broker.errors import NotFound

    if key := batch.output.get("result_key"):
        _outbox_results().delete(batch.id, key)
    for name in ("output_file_id", "error_file_id"):
        if file_id := batch.output.get(name):
            with suppress(NotFound):
                files().delete(batch.tenant, file_id, now_ms())


def _link(batch: "Batch", kind: str, now: int) -> str | None:
    """Where results can be read: of a file, or of the outbox."""
    from broker.cloud.objects import LINK_S
    from broker.errors import NotFound

    if key := batch.output.get("result_key"):
        return _outbox_results().link(batch.id, key)
    file_id = batch.output.get("output_file_id" if kind == "output" else "error_file_id")
    if not file_id:
        return None
    try:
        record = files().open(batch.tenant, file_id, now, "kind")
    except NotFound:
        return None
    return files().bucket.link(record.key, record.filename, min(LINK_S, record.until - now // 1000))
