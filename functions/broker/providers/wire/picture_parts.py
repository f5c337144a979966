"""Pictures in a chat's messages: content parts in OpenAI's form (`{"type": "image_url", "image_url": {"url": …}}`).

A picture comes as a `data:` URL (RFC 2397, base64), as `s3://…` (an object that the request names; `Call.media` checks
whose it is), or as `https://…`, for providers that fetch it themselves: the broker fetches nothing for a stranger.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from broker.errors import BrokerError, InvalidRequest, Rejected
from broker.prompt_marks import MARK
from broker.providers.wire.base import Blob, MediaReader
from broker.providers.wire.marks import mark_of, marked

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)
"""What the bytes say goes before what was said of them: objects are often stored without a type, or with a wrong one,
and the services compare."""

_BEGINS = 24
"""Characters of base64 that hold such a beginning."""


@dataclass(frozen=True, slots=True)
class Link:
    """An `https` address that the provider fetches."""

    url: str
    mark: str = ""
    """As a `Blob`'s."""


def parts(content: Any, media: MediaReader, where: str, *, links: bool = False) -> list[str | Blob | Link]:
    """A message's content, in order: texts that are not blank, and pictures.

    Args:
        content: a text, a list of parts in OpenAI's form, or None.
        media: the call's.
        where: the message (`input.messages.0`), for errors.
        links: True where the provider fetches `https` addresses itself.

    Raises:
        Rejected: a part is neither text nor a picture, or a picture that this provider cannot have; `param` is where.
        InvalidRequest: a picture that no provider can have.
    """
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    found = [_part(each, media, f"{where}.content", links) for each in given]
    return [each for each in found if not isinstance(each, str) or each.strip()]


def inlined(part: Mapping[str, Any], media: MediaReader, where: str, *, links: bool) -> Mapping[str, Any]:
    """A part for services that take OpenAI's form: as it is, but for objects, which become `data:` URLs.

    A `data:` URL that tells another type than its bytes do is put right; services compare the two.

    Raises:
        Rejected, InvalidRequest: as `parts` does, of pictures; other parts are the service's own affair.
    """
    place = f"{where}.content"
    part = {name: value for name, value in part.items() if name != MARK} if MARK in part else part
    if part.get("type") == "text":
        _text(part, place)
    if part.get("type") != "image_url":
        return part
    url = _url(part, place)
    if _scheme(url) == "data":
        right = _with_its_type(url)
    else:
        found = _picture(url, media, place, links)
        right = url if isinstance(found, Link) else data_url(found)
    if right == url:
        return part
    image = part["image_url"] if isinstance(part["image_url"], dict) else {}
    return {**part, "image_url": {**image, "url": right}}


def _with_its_type(url: str) -> str:
    head, comma, content = url.partition(",")
    try:
        kind = sniffed(base64.b64decode(content[:_BEGINS], validate=True))
    except (ValueError, binascii.Error):
        return url
    media_type, semicolon, rest = head[len("data:") :].partition(";")
    return url if kind in (None, media_type) else f"data:{kind}{semicolon}{rest}{comma}{content}"


def data_url(blob: Blob) -> str:
    """The bytes as a `data:` URL."""
    return f"data:{blob.media_type};base64,{encoded(blob)}"


def encoded(blob: Blob) -> str:
    """The bytes in base64."""
    return base64.b64encode(blob.data).decode()


def _part(part: Any, media: MediaReader, place: str, links: bool) -> str | Blob | Link:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return marked(_text(part, place), mark_of(part))
    if kind == "image_url":
        return marked(_picture(_url(part, place), media, place, links), mark_of(part))
    _unfit("Only texts and pictures can be sent to this model.", place, Rejected)


def _text(part: Mapping[str, Any], place: str) -> str:
    if not isinstance(part.get("text"), str):
        _unfit("A text is none.", place)
    return str(part["text"])


def _url(part: Mapping[str, Any], place: str) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        _unfit("A picture has no URL.", place)
    return url


def _scheme(url: str) -> str:
    return url[:10].partition(":")[0].lower()


def _picture(url: str, media: MediaReader, place: str, links: bool) -> Blob | Link:
    match _scheme(url):
        case "data":
            return _typed(_decoded(url, place), place)
        case "s3":
            try:
                return _typed(media.read({"s3": url}), place)
            except InvalidRequest as error:
                error.param = place
                raise
        case "https" if links:
            return Link(url)
        case "https":
            _unfit("This model's provider fetches no pictures: send a data: or an s3:// URL.", place, Rejected)
        case _:
            _unfit("A picture's URL is neither data:, s3:// nor https://.", place)


def _decoded(url: str, place: str) -> Blob:
    head, comma, content = url.partition(",")
    media_type, *rest = head[len("data:") :].split(";")
    try:
        if not comma or "base64" not in rest:
            raise ValueError
        return Blob(base64.b64decode(content, validate=True), media_type.lower())
    except (ValueError, binascii.Error):
        _unfit("A picture's data: URL is not in base64.", place)


def sniffed(content: bytes) -> str | None:
    """The media type of a picture, by how its bytes begin."""
    return next((kind for beginning, at, kind in _BEGINNINGS if content.startswith(beginning, at)), None)


def _typed(blob: Blob, place: str) -> Blob:
    if kind := sniffed(blob.data):
        return Blob(blob.data, kind)
    if not blob.media_type.startswith("image/"):
        _unfit("What was sent as a picture is none.", place)
    return blob


def _unfit(message: str, place: str, kind: type[BrokerError] = InvalidRequest) -> NoReturn:
    raise kind(message, code="unsupported_content", param=place) from None
