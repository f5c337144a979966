"""The pictures of a job, for the person who looks at it: links, as the bytes may be more than a reply holds."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from broker.errors import InvalidRequest
from broker.guardrails.engines.pictures import OF_PICTURES, address_of, file_of, of_request
from broker.jobs.head import Head
from broker.jobs.store import Payloads
from broker.reviews.texts import request_of

Link = Callable[[Head, Mapping[str, str]], str]
"""A URL of what a request names (`jobs.fields.Media`), for a quarter of an hour; models get what it shows from then on.

Raises `InvalidRequest` where it is not there any more.
"""

ALONE = "input.file"

MOST = 20
"""Pictures of a request that are linked: each is read and kept for it."""

LONGEST_ADDRESS = 2_000
"""Of a picture at somebody's own address, in characters; a longer one is not told."""


def pictures_of(payloads: Payloads, head: Head, output: str | None, link: Link) -> list[dict[str, str | None]]:
    """`{"place", "url"}` of each: of the request (the first `MOST`), and of the answer where that is held.

    `url` is None for what is gone. One at an address of somebody's own has that: nobody knows what others get there.

    Args:
        payloads: where both are kept.
        head: the job's.
        output: the payload's name of the answer; None before there was one.
        link: gives one.
    """
    return [*_asked(payloads, head, link), *(_made(payloads, head, output) if output else ())]


def _asked(payloads: Payloads, head: Head, link: Link) -> Iterator[dict[str, str | None]]:
    request = request_of(payloads, head.id) or {}
    shown = zip(_places(request), of_request(request).parts, strict=True)
    for place, part in islice(shown, MOST):
        file, address = file_of(part), address_of(part)
        try:
            url = link(head, file) if file else address if len(address) <= LONGEST_ADDRESS else None
        except InvalidRequest:
            url = None
        yield {"place": place, "url": url}


def _places(request: Mapping[str, Any]) -> Iterator[str]:
    """In the order of `of_request`."""
    given = request.get("input", {})
    for number, message in enumerate(given.get("messages", ())):
        content = message.get("content")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping) and part.get("type") == "image_url":
                yield f"input.messages.{number}.content.{at}"
    if request.get("task") in OF_PICTURES and given.get("file"):
        yield ALONE


def _made(payloads: Payloads, head: Head, output: str) -> Iterator[dict[str, str | None]]:
    answer = payloads.load(head.id, output, words=True) or {}
    for number, file in enumerate(answer.get("files", ()), 1):
        if file["media_type"].startswith("image/"):
            yield {"place": f"output.files.{number - 1}", "url": payloads.link(head.id, output, number)}
