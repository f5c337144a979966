"""OpenAI's moderation. Source: the API reference of OpenAI, `POST /v1/moderations`."""

from typing import Any

from broker.providers.openai.format import OpenAIService
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import bad
from broker.providers.wire.http_client import post_json


def moderate(call: Call, service: OpenAIService) -> Answer:
    """Judge one text or several.

    Returns:
        `{"flagged", "categories": {name: score}}`, of all texts together (the highest score of each category), and
        `results` with the same for each text where several were given; units are `requests`.

    Raises:
        BrokerError: by `Provider`.
    """
    texts = exchange.texts(call)
    reply = post_json(
        service.url("moderations"),
        {"model": call.model, "input": texts},
        headers=service.headers,
        timeout=call.timeout,
    )
    rows = reply.body.get("results") if isinstance(reply.body, dict) else None
    if not isinstance(rows, list) or len(rows) != len(texts):
        bad("The provider's reply has another number of results.")
    results = [_verdict(row) for row in rows]
    output = {
        "flagged": any(each["flagged"] for each in results),
        "categories": {
            name: max(each["categories"].get(name, 0) for each in results)
            for name in dict.fromkeys(name for each in results for name in each["categories"])
        },
    }
    if not isinstance(call.input.get("text"), str):
        output["results"] = results
    reported = exchange.counted(exchange.field(reply.body, "usage", "prompt_tokens"))
    used = exchange.used(reported, "".join(texts))
    return Answer(output, input_tokens=used, facts=exchange.facts(reply), units={"requests": 1})


def _verdict(row: Any) -> dict[str, Any]:
    flagged, scores = (row.get("flagged"), row.get("category_scores")) if isinstance(row, dict) else (None, None)
    if not isinstance(flagged, bool) or not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
        bad("The provider's reply has a result that is none.")
    return {"flagged": flagged, "categories": scores}


def _is_score(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
