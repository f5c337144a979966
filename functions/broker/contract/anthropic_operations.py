"""What Anthropic's clients may ask the REST API, route by route."""

from broker.contract.anthropic import AnthropicMessage, CountedMessage, MessageRequest, MessageTokens
from broker.contract.openai_operations import ANSWER, TRIES
from broker.contract.operation import LIMITED, LIMITED_ANTHROPIC, Operation, parameter

TAG = "anthropic"

MESSAGE_ID = parameter("path", "id", "The message.", {"type": "string"}, required=True)

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
    ("POST", "/messages/count_tokens"): Operation(
        "Estimate the tokens of a request",
        TAG,
        {200: MessageTokens},
        errors=(400, 402, 413),
        body=CountedMessage,
        by_either_header=True,
    ),
}
"""By method and path, as `ANTHROPIC_ROUTES`."""
