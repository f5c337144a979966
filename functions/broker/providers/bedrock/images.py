"""Pictures on Amazon Bedrock: Titan Image Generator and Nova Canvas, and Stability AI's models.

Source: Amazon Bedrock User Guide, "Amazon Titan Image Generator G1 models", "Stability AI models"; Amazon Nova User
Guide, "Generating images", "Error handling".

Options of a model: `image`, for further fields of the request as its family has them (`{"quality": "premium"}`,
`{"negative_prompt": "text"}`).
"""

import random
from collections.abc import Callable
from dataclasses import replace

from broker.errors import Refused, Unavailable
from broker.providers.aws.client import rounded
from broker.providers.bedrock.invoke import Exchanger, InvokeReply, Json, exchanges, family
from broker.providers.bedrock.service_errors import BLOCKED, bad
from broker.providers.wire import chat as chats
from broker.providers.wire import pictures
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.gathering import Part, gather

MOST = 5
"""Pictures in one exchange with a model of Amazon's, at most; Stability's make one."""
SEEDS = 858_993_460
"""Nova Canvas takes seeds below this, and Titan too. Both take the same one each time where none is given."""

RATIOS = frozenset({"16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"})
"""Stability's models are told a ratio, and choose the size."""

Body = Callable[[list[int]], Json]
Family = tuple[Callable[[Call], Body], Callable[[InvokeReply, str], tuple[list[Blob], int]]]
"""What makes the bodies of exchanges, by the places of their pictures; and of a reply, the pictures and how many were
held back."""


def generate_image(call: Call, ask: Exchanger) -> Answer:
    """Make `input.count` pictures of `input.text`; see `gathering.gather`."""
    bodies, read = family(call, FAMILIES)
    amazon = bodies is _amazon
    kind = pictures.media_type(call, ("png",) if amazon else ("png", "jpeg", "webp"))
    body = bodies(call)

    def paint(places: list[int], left: float) -> Part:
        timeout = left if left == call.timeout else rounded(left)
        (reply,) = exchanges(replace(call, timeout=timeout), ask, [body(places)])
        files, filtered = read(reply, kind)
        return Part(files, filtered, facts=reply.facts())

    return gather(call, pictures.at_once(call, MOST) if amazon else 1, paint)


def _amazon(call: Call) -> Body:
    text, size, seed = pictures.prompt(call), pictures.size(call), chats.parameter(call, "seed")
    if seed is None:
        seed = random.randrange(SEEDS)  # noqa: S311 - variety, not a secret
    shape = {"width": size[0], "height": size[1]} if size else {}

    def body(places: list[int]) -> Json:
        config: Json = {"numberOfImages": len(places), "seed": (seed + places[0]) % SEEDS} | shape
        return {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": {"text": text},
            "imageGenerationConfig": config | dict(call.options.get("image", {})),
        }

    return body


def _of_amazon(reply: InvokeReply, kind: str) -> tuple[list[Blob], int]:
    images, error = reply.body.get("images") or [], reply.body.get("error")
    if not isinstance(images, list) or not (images or error):
        bad("The model's reply has no pictures.", code="empty_answer")
    if not images and not any(words in str(error).lower() for words in BLOCKED):
        raise _broken()
    # How many were held back is not said; that some were is.
    return [pictures.made(each, kind) for each in images], 1 if error else 0


def _stability(call: Call) -> Body:
    asked: Json = {"prompt": pictures.prompt(call)}
    asked["output_format"] = pictures.media_type(call, ("png", "jpeg", "webp")).removeprefix("image/")
    if ratio := pictures.ratio(call, RATIOS):
        asked["aspect_ratio"] = ratio
    seed = chats.parameter(call, "seed")

    def body(places: list[int]) -> Json:
        chosen = {} if seed is None else {"seed": seed + places[0]}
        return asked | chosen | dict(call.options.get("image", {}))

    return body


def _of_stability(reply: InvokeReply, kind: str) -> tuple[list[Blob], int]:
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
