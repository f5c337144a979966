"""Pictures that a model made: how they come, and what of a request they are made by."""

import base64
import binascii
import math
from typing import Any

from broker.errors import BadOutput, InvalidRequest, Rejected
from broker.providers.wire.base import Blob, Call
from broker.providers.wire.picture_parts import sniffed

PIXELS = 4 * 1024 * 1024
"""Of one reply: a pixel that does not pack takes four bytes of base64, and a reply has sixteen megabytes
(`http_client.LARGEST_REPLY`)."""


def made(given: Any, media_type: str) -> Blob:
    """One picture from its base64; `media_type` is what was asked for, but the bytes know better.

    Raises:
        BadOutput: it is none; it has been paid for.
    """
    try:
        content = base64.b64decode(given, validate=True)
    except (ValueError, TypeError, binascii.Error):
        content = b""
    if not content:
        raise BadOutput("The provider's reply has a picture that is none.", code="malformed_reply", maybe_paid=True)
    return Blob(content, sniffed(content) or media_type)


def prompt(call: Call) -> str:
    """What the picture is of.

    Raises:
        InvalidRequest: nothing is said.
    """
    text = call.input.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    return text


def places(call: Call) -> list[int]:
    """One for each picture that is wanted."""
    return list(range(call.input.get("count") or 1))


def size(call: Call) -> tuple[int, int] | None:
    """Width and height in pixels, where the request names them."""
    wanted = call.input.get("size")
    if not wanted:
        return None
    width, _, height = wanted.partition("x")
    return int(width), int(height)


def at_once(call: Call, most: int, usual: tuple[int, int] = (1024, 1024)) -> int:
    """How many pictures to ask for at once, so that the reply is not too large; `usual` where no size is named."""
    width, height = size(call) or usual
    return max(1, min(most, PIXELS // max(1, width * height)))


def ratio(call: Call, known: frozenset[str]) -> str | None:
    """The size as a ratio in lowest terms (`16:9`), for models that are told one and choose the size.

    Raises:
        Rejected: the model makes no pictures of it.
    """
    wanted = size(call)
    if wanted is None:
        return None
    part = math.gcd(*wanted) or 1
    found = f"{wanted[0] // part}:{wanted[1] // part}"
    if found not in known:
        message = f"This model makes pictures of the ratios {', '.join(sorted(known))}."
        raise Rejected(message, code="unsupported_size", param="input.size")
    return found


def media_type(call: Call, known: tuple[str, ...]) -> str:
    """The type to ask for, of those that the model makes; the first where the request leaves it open.

    Raises:
        Rejected: the model makes no such pictures.
    """
    asked = call.input.get("format") or known[0]
    asked = {"jpg": "jpeg"}.get(asked, asked)
    if asked not in known:
        raise Rejected(f"This model makes {', '.join(known)}.", code="unsupported_format", param="input.format")
    return f"image/{asked}"
