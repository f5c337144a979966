"""What OpenAI's clients may ask the REST API, route by route."""

from broker.contract.openai import (
    ChatCompletion,
    CompletionRequest,
    DeletedAnswer,
    EmbeddingList,
    EmbeddingsRequest,
    ItemList,
    Moderation,
    ModerationRequest,
    Response,
    ResponseRequest,
    ResponseTokens,
)
from broker.contract.operation import LIMITED, LIMITED_OPENAI, Operation, parameter
from broker.doors.item_lists import MOST_ITEMS, ORDERS
from broker.rest.http import MOST_WAIT_S

TAG = "openai"

ANSWER = (400, 402, 404, 409, 413, 422, 502, 504)
"""Errors of who waits for an answer: the request's, and those of the job that was made of it."""

RESPONSE_ID = parameter("path", "id", "The response.", {"type": "string"}, required=True)
COMPLETION_ID = parameter("path", "id", "The completion.", {"type": "string"}, required=True)

TRIES = (
    parameter(
        "header",
        "Idempotency-Key",
        "The same key with the same body gives the same job, for a day.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    parameter(
        "header",
        "X-Stainless-Retry-Count",
        "Which try of a call this is, from 0: a repeat of the same bytes within ten minutes gets the job of the first. "
        "What is no number of up to three digits counts for nothing.",
        {"type": "string"},
    ),
)

WAIT = parameter(
    "query",
    "wait",
    "Long poll: answer when it has ended, or after so many seconds.",
    {"type": "integer", "minimum": 0, "maximum": MOST_WAIT_S, "default": 0},
)

ITEM_PAGES = (
    parameter(
        "query", "limit", "Items on a page.", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 20}
    ),
    parameter("query", "order", "`desc`: the newest first.", {"enum": [*ORDERS], "default": ORDERS[0]}),
    parameter("query", "after", "The `last_id` of the page before.", {"type": "string"}),
)

HEADERS = ("Location", "Idempotent-Replayed", *LIMITED, *LIMITED_OPENAI)

OPENAI_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/responses"): Operation(
        "Ask for an answer, or with `background` for one that is fetched later",
        TAG,
        {200: Response},
        errors=ANSWER,
        parameters=TRIES,
        body=ResponseRequest,
        streams=True,
        headers=HEADERS,
    ),
    ("GET", "/responses/{id}"): Operation(
        "Get a response", TAG, {200: Response}, errors=(400, 404, 413), parameters=(RESPONSE_ID, WAIT)
    ),
    ("DELETE", "/responses/{id}"): Operation(
        "Erase prompt and answer of a response that has ended",
        TAG,
        {200: DeletedAnswer},
        errors=(400, 404),
        parameters=(RESPONSE_ID,),
    ),
    ("POST", "/responses/{id}/cancel"): Operation(
        "Cancel a response", TAG, {200: Response}, errors=(404, 413), parameters=(RESPONSE_ID,)
    ),
    ("GET", "/responses/{id}/input_items"): Operation(
        "List what a response was asked: the items of its chain, and its own, but for instructions",
        TAG,
        {200: ItemList},
        errors=(400, 404, 413),
        parameters=(RESPONSE_ID, *ITEM_PAGES),
    ),
    ("POST", "/responses/input_tokens"): Operation(
        "Estimate the tokens of a request",
        TAG,
        {200: ResponseTokens},
        errors=(400, 402, 404, 413),
        body=ResponseRequest,
    ),
    ("POST", "/chat/completions"): Operation(
        "Ask for an answer",
        TAG,
        {200: ChatCompletion},
        errors=ANSWER,
        parameters=TRIES,
        body=CompletionRequest,
        streams=True,
        headers=HEADERS,
    ),
    ("GET", "/chat/completions/{id}"): Operation(
        "Get an answer that was not there in time",
        TAG,
        {200: ChatCompletion},
        errors=tuple({*ANSWER} - {402}),
        parameters=(COMPLETION_ID,),
    ),
    ("DELETE", "/chat/completions/{id}"): Operation(
        "Erase prompt and answer of a completion that has ended",
        TAG,
        {200: DeletedAnswer},
        errors=(400, 404),
        parameters=(COMPLETION_ID,),
    ),
    ("POST", "/embeddings"): Operation(
        "Ask for embeddings",
        TAG,
        {200: EmbeddingList},
        errors=ANSWER,
        parameters=TRIES,
        body=EmbeddingsRequest,
        headers=HEADERS,
    ),
    ("POST", "/moderations"): Operation(
        "Have texts, or a picture, judged",
        TAG,
        {200: Moderation},
        errors=ANSWER,
        parameters=TRIES,
        body=ModerationRequest,
        headers=HEADERS,
    ),
}
"""By method and path, as `OPENAI_ROUTES`."""
