"""OpenAI's pictures, as OpenAI and compatible servers make them.

Source: the API reference of OpenAI, `POST /v1/images/generations`. The GPT image models answer in base64 only, take
`output_format` and count tokens. DALL-E and what is made after its likeness give addresses unless they are told
otherwise, and PNG alone. Nothing is fetched from an address here.

Options of a model: `family` where its name does not begin with it (an alias, a deployment), `image` for further fields
of the request (`{"quality": "low"}`), as the operators' prices have it.
"""

from typing import Any

from broker.errors import InvalidRequest
from broker.providers import pictures
from broker.providers.base import Answer, Call
from broker.providers.exchange import bad, facts, first
from broker.providers.http import post_json
from broker.providers.openai_format import Service
from broker.providers.openai_usage import tokens

GPT = ("gpt-image", "chatgpt-image")
ONE_EACH = ("dall-e-3",)
"""Families that make one picture for each request."""


def generate_image(call: Call, service: Service) -> Answer:
    """Make `input.count` pictures of `input.text`.

    Returns:
        `{"count"}`, and `revised_prompts` where the model wrote its own, in the order of the files; units are `images`.

    Raises:
        BrokerError: by `Provider`.
    """
    asked, kind = _request(call)
    reply = post_json(
        service.url("images/generations"),
        asked,
        headers=service.headers,
        timeout=call.timeout,
        read_error=service.read_error,
    )
    first(reply.body, "data")
    rows = reply.body["data"]
    if not all(isinstance(row, dict) for row in rows):
        bad("The provider's reply has a picture that is none.")
    files = tuple(pictures.made(row.get("b64_json"), kind) for row in rows)
    output: dict[str, Any] = {"count": len(files)}
    revised = [row.get("revised_prompt") for row in rows]
    if all(isinstance(each, str) and each for each in revised):
        output["revised_prompts"] = revised
    input_tokens, output_tokens = tokens(reply.body)
    return Answer(
        output,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        facts=facts(reply),
        units={"images": len(files)},
        files=files,
    )


def _request(call: Call) -> tuple[dict[str, Any], str]:
    """The body, and the media type that will come of it."""
    family = str(call.options.get("family", call.model))
    count = call.input.get("count") or 1
    if count > 1 and family.startswith(ONE_EACH):
        raise InvalidRequest("This model makes one picture at a time.", code="unsupported_count", param="input.count")
    asked: dict[str, Any] = {"model": call.model, "prompt": pictures.prompt(call), "n": count}
    if call.input.get("size"):
        asked["size"] = call.input["size"]
    if family.startswith(GPT):
        kind = pictures.media_type(call, ("png", "jpeg", "webp"))
        asked["output_format"] = kind.removeprefix("image/")
    else:
        kind = pictures.media_type(call, ("png",))
        asked["response_format"] = "b64_json"
    return asked | dict(call.options.get("image", {})), kind
