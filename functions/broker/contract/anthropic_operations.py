"""What Anthropic's clients may ask the REST API, route by route."""

from broker.contract.anthropic import (
    AnthropicMessage,
    CountedMessage,
    DeletedMessageBatch,
    MessageBatch,
    MessageBatchList,
    MessageBatchRequest,
    MessageRequest,
    MessageTokens,
)
from broker.contract.openai_operations import ANSWER, TRIES
from broker.contract.operation import LIMITED, LIMITED_ANTHROPIC, Operation, parameter
from broker.rest.message_batches import MOST_ASKED, MOST_LISTED

TAG = "anthropic"

MESSAGE_ID = parameter("path", "id", "The message.", {"type": "string"}, required=True)

BATCH_ID = parameter("path", "id", "The batch.", {"type": "string"}, required=True)

BATCHES_PAGE = (
    parameter(
        "query",
        "limit",
        f"Batches on a page; {MOST_LISTED} at most are given.",
        {"type": "integer", "minimum": 1, "maximum": MOST_ASKED, "default": 20},
    ),
    parameter("query", "after_id", "The last batch of the page before.", {"type": "string"}),
)

ANTHROPIC_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/messages"): Operation(
        "Ask for an answer",
        TAG,
        {200: AnthropicMessage},
        errors=ANSWER,
        parameters=TRIES,
        body=MessageRequest,
        streams=True,
        headers=("Location", "Idempotent-Replayed", *LIMITED, *LIMITED_ANTHROPIC),
        by_either_header=True,
    ),
    ("GET", "/messages/{id}"): Operation(
        "Get an answer that was not there in time",
        TAG,
        {200: AnthropicMessage},
        errors=tuple({*ANSWER} - {402}),
        parameters=(MESSAGE_ID,),
        by_either_header=True,
    ),
    ("POST", "/messages/batches"): Operation(
        "Ask for the answers to up to 10,000 requests",
        TAG,
        {200: MessageBatch},
        errors=(400, 409, 413, 422),
        parameters=TRIES,
        body=MessageBatchRequest,
        headers=("Idempotent-Replayed",),
        by_either_header=True,
    ),
    ("GET", "/messages/batches"): Operation(
        "List batches of messages, newest first",
        TAG,
        {200: MessageBatchList},
        errors=(400,),
        parameters=BATCHES_PAGE,
        by_either_header=True,
    ),
    ("GET", "/messages/batches/{id}"): Operation(
        "Get a batch of messages",
        TAG,
        {200: MessageBatch},
        errors=(404,),
        parameters=(BATCH_ID,),
        by_either_header=True,
    ),
    ("DELETE", "/messages/batches/{id}"): Operation(
        "Erase a batch of messages that has ended, with its results",
        TAG,
        {200: DeletedMessageBatch},
        errors=(404, 409),
        parameters=(BATCH_ID,),
        by_either_header=True,
    ),
    ("POST", "/messages/batches/{id}/cancel"): Operation(
        "Cancel a batch of messages",
        TAG,
        {200: MessageBatch},
        errors=(404,),
        parameters=(BATCH_ID,),
        by_either_header=True,
    ),
    ("GET", "/messages/batches/{id}/results"): Operation(
        "Get the results of a batch of messages, a line for each request",
        TAG,
        {307: None},
        errors=(404, 409),
        parameters=(BATCH_ID,),
        headers=("Location",),
        by_either_header=True,
    ),
    ("POST", "/messages/count_tokens"): Operation(
        "Estimate the tokens of a request",
        TAG,
        {200: MessageTokens},
        errors=(400, 402, 413),
        body=CountedMessage,
        by_either_header=True,
    ),
}
"""By method and path, as `ANTHROPIC_ROUTES` and `MESSAGE_BATCH_ROUTES`."""
