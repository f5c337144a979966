"""What clients may ask of batches."""

from broker.batches.asking.request import BatchRequest
from broker.batches.batch import BatchStatus
from broker.contract.batches import EXAMPLE_BATCH, Batch, BatchEstimate, BatchList
from broker.contract.operation import Operation, parameter
from broker.contract.replies import Redelivery
from broker.rest.batches import KINDS, MOST_LISTED

BATCH_ID = parameter("path", "id", "The batch.", {"type": "string"}, required=True, example=EXAMPLE_BATCH)

TRIES = (
    parameter(
        "header",
        "Idempotency-Key",
        "The same key with the same body gives the same batch, for a day.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    parameter(
        "header",
        "X-Stainless-Retry-Count",
        "Which try of a call this is, from 0: an equal repeat within ten minutes gets the batch of the first. "
        "What is no number of up to three digits counts for nothing.",
        {"type": "string"},
    ),
)

PAGE = (
    parameter("query", "status", "Only batches that stand so.", {"type": "string", "enum": [*BatchStatus]}),
    parameter(
        "query", "limit", "Batches on a page.", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 20}
    ),
    parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
    parameter("query", "after", "`last_id` of the page before, as OpenAI's clients ask.", {"type": "string"}),
)

KIND = parameter(
    "query",
    "kind",
    "`output` for the rows that succeeded, `errors` for all others; where results are one file, both are it.",
    {"type": "string", "enum": [*KINDS], "default": KINDS[0]},
)

TAKEN = ("Location", "Idempotent-Replayed")

BATCH_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/batches"): Operation(
        "Submit a batch of rows",
        "batches",
        {200: Batch, 202: Batch},
        errors=(400, 404, 409, 413, 422),
        parameters=TRIES,
        body=BatchRequest,
        headers=TAKEN,
    ),
    ("GET", "/batches"): Operation(
        "List batches, newest first", "batches", {200: BatchList}, errors=(400,), parameters=PAGE
    ),
    ("POST", "/batches/estimate"): Operation(
        "What a batch would cost, from a sample of its rows, without running or holding anything",
        "batches",
        {200: BatchEstimate},
        errors=(400, 404, 413),
        body=BatchRequest,
    ),
    ("GET", "/batches/{id}"): Operation("Get a batch", "batches", {200: Batch}, errors=(404,), parameters=(BATCH_ID,)),
    ("DELETE", "/batches/{id}"): Operation(
        "Erase what the rows of an ended batch asked and were answered, and its results",
        "batches",
        {204: None},
        errors=(404, 409),
        parameters=(BATCH_ID,),
    ),
    ("POST", "/batches/{id}/cancel"): Operation(
        "Cancel a batch: no more rows begin, and what is done is kept",
        "batches",
        {200: Batch},
        errors=(404, 409),
        parameters=(BATCH_ID,),
    ),
    ("POST", "/batches/{id}/pause"): Operation(
        "Let no more rows begin for now", "batches", {200: Batch}, errors=(404, 409), parameters=(BATCH_ID,)
    ),
    ("POST", "/batches/{id}/resume"): Operation(
        "Let rows begin again", "batches", {200: Batch}, errors=(404, 409), parameters=(BATCH_ID,)
    ),
    ("POST", "/batches/{id}/retry"): Operation(
        "Submit the rows that did not succeed as a batch of their own",
        "batches",
        {200: Batch, 202: Batch},
        errors=(400, 404, 409, 422),
        parameters=(BATCH_ID, *TRIES),
        headers=TAKEN,
    ),
    ("POST", "/batches/{id}/redeliver"): Operation(
        "Send a batch's webhooks once more", "batches", {202: Redelivery}, errors=(400, 404), parameters=(BATCH_ID,)
    ),
    ("GET", "/batches/{id}/results"): Operation(
        "Read a batch's results, where they lie",
        "batches",
        {307: None},
        errors=(400, 404, 409),
        parameters=(BATCH_ID, KIND),
        headers=("Location",),
    ),
}
"""By method and path, as `rest.batches.BATCH_ROUTES`."""
