"""OpenAI's moderation. Source: the API reference of OpenAI, `POST /v1/moderations`, and its guide, "Moderation"."""

from typing import Any

from broker.errors import Rejected
from broker.providers.openai.format import OpenAIService
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import bad
from broker.providers.wire.http_client import post_json
from broker.providers.wire.picture_parts import data_url, sniffed
from broker.providers.wire.verdicts import only, output, texts, worst

PART_BYTES = 30_000
"""The models read 32,768 tokens of a text, of which each has a byte at least."""
MOST_PARTS = 1_000


def moderate(call: Call, service: OpenAIService) -> Answer:
    """Judge one text or several, or one picture.

    Returns:
        `{"flagged", "categories": {name: score}}`, of all texts together (the highest score of each category), and
        `results` with the same for each text where several were given; units are `requests`. Categories that the
        service has for texts only have the score 0 for a picture.

    Raises:
        BrokerError: by `Provider`.
    """
    if call.input.get("file"):
        only(call, "file")
        url = data_url(_picture(call))
        verdicts, facts, reported = _ask(call, service, [{"type": "image_url", "image_url": {"url": url}}])
        return Answer(worst(verdicts), exchange.used(reported, ""), facts=facts, units={"requests": 1})
    only(call, "text")
    given = texts(call)
    parts = [(place, part) for place, each in enumerate(given) for _, part in split(each, PART_BYTES, MOST_PARTS)]
    verdicts, facts, reported = _ask(call, service, [part for _, part in parts])
    found: list[list[Any]] = [[] for _ in given]
    for (of, _), each in zip(parts, verdicts, strict=True):
        found[of].append(each)
    used = exchange.used(reported, "".join(given))
    return Answer(output(call, [worst(each) for each in found]), used, facts=facts, units={"requests": 1})


def _picture(call: Call) -> Blob:
    blob = call.media.read(call.input["file"])
    kind = sniffed(blob.data)
    if kind is None:
        raise Rejected("The file has to be a picture.", code="unsupported_media_type", param="input.file")
    return Blob(blob.data, kind)


def _ask(
    call: Call, service: OpenAIService, asked: list[Any]
) -> tuple[list[dict[str, Any]], dict[str, str], int | None]:
    """A verdict for each thing that is judged, the reply's facts, and the tokens that it tells."""
    reply = post_json(
        service.url("moderations"),
        {"model": call.model, "input": asked},
        headers=service.headers,
        timeout=call.timeout,
    )
    rows = exchange.field(reply.body, "results")
    if not isinstance(rows, list) or len(rows) != len(asked):
        bad("The provider's reply has another number of results.")
    reported = exchange.counted(exchange.field(reply.body, "usage", "prompt_tokens"))
    return [_verdict(row) for row in rows], exchange.facts(reply), reported


def _verdict(row: Any) -> dict[str, Any]:
    flagged, scores = (row.get("flagged"), row.get("category_scores")) if isinstance(row, dict) else (None, None)
    if not isinstance(flagged, bool) or not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
        bad("The provider's reply has a result that is none.")
    return {"flagged": flagged, "categories": scores}


def _is_score(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
