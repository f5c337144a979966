"""What is shown of a batch: its public form, and how far it has come as of now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.batches.ahead import earlier
from broker.batches.batch import Batch, BatchStatus, is_document
from broker.batches.documents.viewing import document_view
from broker.batches.shard import ENDINGS, MODELS, ROWS, Sums
from broker.batches.store import Batches
from broker.clock import iso, usd
from broker.jobs.head import Status
from broker.jobs.reading import delivery_view
from broker.storage import Unread

ENDED = Status.SUCCEEDED.value

STAMPS = tuple(status.value for status in BatchStatus if status is not BatchStatus.VALIDATING)

SHOWN_AT_ONCE = 100
"""Shards that are read by one request (DynamoDB API reference, BatchGetItem)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch has come, at one moment."""

    sums: Sums
    """Of all rows that have ended."""
    waiting: int
    """Rows that were not told to run yet."""
    open: int
    """Rows that were, and have not ended."""

    @classmethod
    def of(cls, batch: Batch, live: Sums | None = None) -> "Progress":
        """Of a batch, with what has ended of its open shards (`live`)."""
        sums = batch.sums + (live or Sums())
        if batch.status.terminal:
            return cls(sums, 0, 0)
        begun = min(batch.released * ROWS, batch.rows) if batch.is_planned else 0
        return cls(sums, batch.rows - begun, max(0, begun - sums.ended))


def live_sums(batches: Batches, batch: Batch) -> Sums:
    """What has ended of the shards that are open: two reads at most, however large the batch is."""
    sums = Sums()
    for first in range(0, len(batch.open), SHOWN_AT_ONCE):
        for shard in batches.some_shards(batch.id, batch.open[first : first + SHOWN_AT_ONCE]):
            sums += shard.sums
    return sums


@dataclass(frozen=True, slots=True)
class ShowBatch:
    """Shows batches as of now."""

    batches: Batches
    base_url: str
    """Of the REST API, for links."""

    def __call__(self, batch: Batch, now: int) -> dict[str, Any]:
        """The batch with what its open shards have come to. May be some rows behind, never ahead."""
        try:
            live = Sums() if batch.status.terminal else live_sums(self.batches, batch)
        except Unread:  # the tables are busy: what the record says by itself is true as well, and older
            live = Sums()
        progress = Progress.of(batch, live)
        begins = progress.open and not batch.status.terminal
        shown = batch_view(batch, progress, now, self.base_url, self._ahead(batch) if begins else None)
        is_shown = is_document(batch) and batch.erased_at is None  # its name and its recipe are erased with it
        document = document_view(self.batches, batch) if is_shown else None
        delivery = [delivery_view(note) for note in self.batches.deliveries(batch)]
        return shown | {"document": document, "delivery": delivery}

    def _ahead(self, batch: Batch) -> int | None:
        """Open rows of the tenant's earlier batches."""
        found = earlier(self.batches, batch)
        return None if found is None else sum(Progress.of(each).open for each in found)

    def page(self, found: Sequence[Batch], now: int) -> list[dict[str, Any]]:
        """Several, by their records alone: a row counts when its shard has ended, and webhooks are not told."""
        return [batch_view(batch, Progress.of(batch), now, self.base_url) for batch in found]


def batch_view(
    batch: Batch, progress: Progress, now: int, base_url: str, jobs_ahead: int | None = None
) -> dict[str, Any]:
    """The public form (`schemas/batch.json`). Its words are OpenAI's where OpenAI has one; times are RFC 3339.

    Args:
        batch: the record.
        progress: its own, as of now.
        now: milliseconds.
        base_url: of the REST API.
        jobs_ahead: of the tenant's own earlier batches, about.
    """
    url = f"{base_url}/batches/{batch.id}"
    sums = progress.sums
    done = sums.counts.get(ENDED, 0)
    asked = batch.asked
    eta, basis = _eta(batch, progress, now)
    return {
        "id": batch.id,
        "object": "batch",
        "status": batch.status.value,
        "endpoint": asked.get("endpoint"),
        "input_file_id": asked.get("input_file_id"),
        "completion_window": _window(asked.get("completion_window_s")),
        "model": _model(batch),
        "created_at": iso(batch.created_at),
        **{f"{name}_at": iso(batch.stamps.get(name)) for name in STAMPS},
        "expires_at": iso(batch.ends_at),
        "not_before": iso(asked.get("not_before")),
        "off_peak": asked.get("window"),
        "request_counts": {"total": batch.rows, "completed": done, "failed": sums.ended - done},
        "counts": {
            "waiting": progress.waiting,
            "open": progress.open,
            **{ending: sums.counts.get(ending, 0) for ending in ENDINGS},
        },
        "duplicates": sums.duplicates,
        "usage": {
            "input_tokens": sums.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": sums.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sums.input_tokens + sums.output_tokens,
            "cost_usd": usd(sums.cost),
        },
        "eta_seconds": eta,
        "eta_basis": basis,
        "position": None if jobs_ahead is None else {"lane": "bulk", "jobs_ahead": jobs_ahead},
        "paused": batch.is_paused and not batch.status.terminal,
        "stop_reason": batch.stop,
        "delivery": [],
        "errors": {"object": "list", "data": [_error(batch.error)]} if batch.error else None,
        "output_file_id": batch.output.get("output_file_id"),
        "error_file_id": batch.output.get("error_file_id"),
        "result_key": batch.output.get("result_key"),
        "max_cost_usd": usd(asked["max_cost"]) if "max_cost" in asked else None,
        "dedupe": bool(asked.get("dedupe")),
        "prompt": asked.get("prompt"),
        "metadata": asked.get("metadata", {}),
        "retry_of": asked.get("retry_of"),
        "document": None,
        "erased": batch.erased_at is not None,
        "urls": {"get": url, **{each: f"{url}/{each}" for each in ("cancel", "pause", "resume", "retry", "results")}},
    }


def _window(seconds: int | None) -> str | None:
    """A span as clients write it: a day is `24h`."""
    if seconds is None:
        return None
    unit, name = next(each for each in ((3_600, "h"), (60, "m"), (1, "s")) if seconds % each[0] == 0)
    return f"{seconds // unit}{name}"


def _model(batch: Batch) -> str | None:
    """The model that all rows name, once they are laid out, where that is one; of rows in OpenAI's form alone."""
    models = (batch.rows_in or {}).get(MODELS, ())
    return str(models[0]) if batch.is_planned and len(models) == 1 else None


def _eta(batch: Batch, progress: Progress, now: int) -> tuple[int | None, dict[str, Any] | None]:
    """In how many seconds its rows will have ended, if they go on as they went; and what that is reckoned from."""
    began = batch.stamps.get(BatchStatus.IN_PROGRESS.value)
    ended = progress.sums.ended
    if began is None or not ended or batch.is_paused or batch.status is not BatchStatus.IN_PROGRESS:
        return None, None
    seconds = max(1, (now - began) // 1000)
    left = batch.rows - ended
    return -(-left * seconds // ended), {"rows_ended": ended, "in_seconds": seconds}


def _error(error: dict[str, Any]) -> dict[str, Any]:
    return {name: error.get(name) for name in ("code", "message", "param", "line")}
