"""The pictures of a request, as a judge that sees gets them beside the texts."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST_PICTURES = 8
"""Of one request that a judge is shown; with more, it was not all read."""

MOST_CHARACTERS = 7_000_000
"""Of the addresses of all, which hold the pictures where they came in the request: five megabytes in base64."""

Part = Mapping[str, Any]
"""A content part (`{"type": "image_url", …}`), as the request has it."""


def pictures_of(request: Mapping[str, Any]) -> list[Part]:
    """All that messages have, whosever they are, in order."""
    contents = [message.get("content") for message in request.get("input", {}).get("messages", ())]
    return [
        part
        for content in contents
        if isinstance(content, list)
        for part in content
        if isinstance(part, Mapping) and part.get("type") == "image_url"
    ]


def are_few(pictures: Sequence[Part]) -> bool:
    """True where a judge may be shown all of them."""
    return (
        len(pictures) <= MOST_PICTURES and sum(len(str(each.get("image_url"))) for each in pictures) <= MOST_CHARACTERS
    )
