"""OpenAI's pictures, as OpenAI and compatible servers make them.

Source: the API reference of OpenAI, `POST /v1/images/generations`. The GPT image models answer in base64 only, take
`output_format` and count tokens. DALL-E and what is made after its likeness give addresses unless they are told
otherwise, and PNG alone. Nothing is fetched from an address here.

Options of a model: `family` where its name does not begin with it (an alias, a deployment), `image` for further fields
of the request (`{"quality": "low"}`), as the operators' prices have it.
"""

from typing import Any

from broker.providers.openai.format import OpenAIService
from broker.providers.openai.usage import tokens
from broker.providers.wire import pictures
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import bad, facts, first
from broker.providers.wire.gathering import Part, gather
from broker.providers.wire.http_client import post_json

GPT = ("gpt-image", "chatgpt-image")
ONE_EACH = ("dall-e-3",)
"""Families that make one picture for each request."""
MOST = 10
LARGE = (1536, 1024)
"""What a model may choose where no size is named."""


def generate_image(call: Call, service: OpenAIService) -> Answer:
    """Make `input.count` pictures of `input.text`; see `gathering.gather`."""
    family = str(call.options.get("family", call.model))
    asked, kind = _request(call, family)
    most = 1 if family.startswith(ONE_EACH) else pictures.at_once(call, MOST, LARGE)

    def paint(places: list[int], left: float) -> Part:
        reply = post_json(
            service.url("images/generations"),
            asked | {"n": len(places)},
            headers=service.headers,
            timeout=left,
        )
        first(reply.body, "data")
        rows = reply.body["data"]
        if not all(isinstance(row, dict) for row in rows):
            bad("The provider's reply has a picture that is none.")
        files = [pictures.made(row.get("b64_json"), kind) for row in rows]
        into, out = tokens(reply.body)
        return Part(files, 0, into, out, facts(reply), [row.get("revised_prompt") for row in rows])

    return gather(call, most, paint)


def _request(call: Call, family: str) -> tuple[dict[str, Any], str]:
    """The body but for the number, and the media type that will come of it."""
    asked: dict[str, Any] = {"model": call.model, "prompt": pictures.prompt(call)}
    if call.input.get("size"):
        asked["size"] = call.input["size"]
    if family.startswith(GPT):
        kind = pictures.media_type(call, ("png", "jpeg", "webp"))
        asked["output_format"] = kind.removeprefix("image/")
    else:
        kind = pictures.media_type(call, ("png",))
        asked["response_format"] = "b64_json"
    return asked | dict(call.options.get("image", {})), kind
