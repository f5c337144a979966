"""Odd replies of Cohere's.

Source: Cohere's page of errors (https://docs.cohere.com/reference/errors), and reports of its users for `failed200`.
"""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS, THOUGHT


def _error(message: str) -> Json:
    return {"id": "b078a1f9-b421-4344-b9b3-be955075b0b0", "message": message}


def _reply(finish: str, **message: object) -> Json:
    used = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    usage = {"billed_units": used, "tokens": used}
    return {"id": "odd", "finish_reason": finish, "message": {"role": "assistant", **message}, "usage": usage}


_CALL = {"id": "nobody_0", "type": "function", "function": {"name": "nobody", "arguments": "{}"}}

REPLIES: dict[str, OddReply] = {
    "failed200": OddReply(200, _reply("ERROR", content=[])),
    "busy429": OddReply(429, _error("You are using a Trial key, which is limited to 40 API calls / minute.")),
    "limit400": OddReply(
        400,
        _error(
            "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - "
            "received 8192."
        ),
    ),
    "flagged498": OddReply(498, _error("blocked input: the request holds a word of your deny list")),
    "unpaid": OddReply(402, _error("Please add or update your payment method to continue")),
    "thinking": OddReply(200, _reply("MAX_TOKENS", content=[{"type": "thinking", "thinking": THOUGHT}])),
    "badcall": OddReply(200, _reply("TOOL_CALL", tool_plan="I will ask.", tool_calls=[_CALL])),
}
