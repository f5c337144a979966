"""Pictures on Amazon Bedrock: Titan Image Generator and Nova Canvas, and Stability AI's models.

Source: Amazon Bedrock User Guide, "Amazon Titan Image Generator G1 models", "Stability AI models"; Amazon Nova User
Guide, "Generating images", "Error handling".

Options of a model: `image`, for further fields of the request as its family has them (`{"quality": "premium"}`,
`{"negative_prompt": "text"}`).
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from broker.errors import Refused, Unavailable
from broker.providers import pictures
from broker.providers.base import Answer, Blob, Call
from broker.providers.bedrock_errors import BLOCKED, bad
from broker.providers.bedrock_invoke import Ask, Json, Reply, exchanges, family

MOST = 5
"""Pictures in one exchange with a model of Amazon's, at most; Stability's make one."""
SEEDS = 858_993_460
"""Nova Canvas takes seeds below this, and Titan too. Both take the same one each time where none is given."""

RATIOS = frozenset({"16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"})
"""Stability's models are told a ratio, and choose the size."""

Family = tuple[Callable[[Call], Iterator[Json]], Callable[[Reply, str], tuple[list[Blob], int]]]
"""The bodies of the exchanges; and of a reply, the pictures and how many were held back."""


def generate_image(call: Call, ask: Ask) -> Answer:
    """Make `input.count` pictures of `input.text`.

    Returns:
        `{"count"}`, and `filtered` where the model's content filters held some back; units are `images`.

    Raises:
        Refused: they held back all.
        BrokerError: by `Provider`.
    """
    bodies, read = family(call, FAMILIES)
    kind = pictures.media_type(call, ("png",) if bodies is _amazon else ("png", "jpeg", "webp"))
    files: list[Blob] = []
    filtered = 0
    facts: dict[str, str] = {}
    for reply in exchanges(call, ask, bodies(call)):
        found, held = read(reply, kind)
        files, filtered, facts = files + found, filtered + held, reply.facts()
    if not files:
        raise _held_back()
    output: dict[str, Any] = {"count": len(files)} | ({"filtered": filtered} if filtered else {})
    return Answer(output, facts=facts, units={"images": len(files)}, files=tuple(files))


def _amazon(call: Call) -> Iterator[Json]:
    text, size, places = pictures.prompt(call), pictures.size(call), pictures.places(call)
    most = pictures.at_once(call, MOST)
    seed = call.parameters.get("seed")
    if seed is None:
        seed = random.randrange(SEEDS)  # noqa: S311 - variety, not a secret
    for place in places[::most]:
        config: Json = {"numberOfImages": len(places[place : place + most]), "seed": (seed + place) % SEEDS}
        if size:
            config |= {"width": size[0], "height": size[1]}
        yield {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": {"text": text},
            "imageGenerationConfig": config | dict(call.options.get("image", {})),
        }


def _of_amazon(reply: Reply, kind: str) -> tuple[list[Blob], int]:
    images, error = reply.body.get("images") or [], reply.body.get("error")
    if not isinstance(images, list) or not (images or error):
        bad("The model's reply has no pictures.", code="empty_answer")
    if not images and not any(words in str(error).lower() for words in BLOCKED):
        raise _broken()
    # How many were held back is not said; that some were is.
    return [pictures.made(each, kind) for each in images], 1 if error else 0


def _stability(call: Call) -> Iterator[Json]:
    body: Json = {"prompt": pictures.prompt(call)}
    body["output_format"] = pictures.media_type(call, ("png", "jpeg", "webp")).removeprefix("image/")
    if ratio := pictures.ratio(call, RATIOS):
        body["aspect_ratio"] = ratio
    for place in pictures.places(call):
        seed = call.parameters.get("seed")
        chosen = {} if seed is None else {"seed": seed + place}
        yield body | chosen | dict(call.options.get("image", {}))


def _of_stability(reply: Reply, kind: str) -> tuple[list[Blob], int]:
    reasons, images = reply.body.get("finish_reasons"), reply.body.get("images") or []
    reason = reasons[0] if isinstance(reasons, list) and reasons else None
    if reason == "Filter reason: prompt":  # no other picture of it will pass
        raise _held_back()
    if str(reason).startswith("Filter reason"):
        return [], 1
    if reason is not None:
        raise _broken()
    if not isinstance(images, list) or not images:
        bad("The model's reply has no pictures.", code="empty_answer")
    return [pictures.made(each, kind) for each in images], 0


def _held_back() -> Refused:
    return Refused("The model's content filters held the pictures back.", code="content_filtered", maybe_paid=True)


def _broken() -> Unavailable:
    return Unavailable("The model failed to make a picture.", code="inference_error", maybe_paid=True)


FAMILIES: dict[str, Family] = {
    "titan-image": (_amazon, _of_amazon),
    "nova-canvas": (_amazon, _of_amazon),
    "stability.": (_stability, _of_stability),
}
"""By a part of the model's id."""
