"""The pictures of a request and of an answer, as engines that see get them."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_PICTURES = 8
"""Of one request that an engine is shown; with more, it was not all read."""

MOST_CHARACTERS = 7_000_000
"""Of the addresses of all, which hold the pictures where they came in the request: five megabytes in base64. The same
for each picture of an answer that a judge is shown."""

MOST_MADE = 10
"""Pictures of one answer: as many as a request may ask for."""

MOST_MADE_BYTES = 20_000_000
"""Of all of them, which are in the function's memory at once."""

OF_PICTURES = frozenset({"analyze_image", "moderate"})
"""Tasks whose file is a picture."""

Part = Mapping[str, Any]
"""A content part (`{"type": "image_url", …}`), as requests have it."""

UNKNOWN = "application/octet-stream"
"""The type of bytes of which nothing else was said; who reads them looks at them."""

_DATA = re.compile("data:([^;,]*)[^,]*;base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those of one stage."""

    parts: tuple[Part, ...] = ()
    few: bool = True
    """False where not all are shown: there are too many, or too large ones, or some in a form of somebody's own, or at
    an address of somebody's own."""
    apart: bool = False
    """True where a judge is shown one at a time, for together they may be more than a request takes."""

    @property
    def are_there(self) -> bool:
        """True where there is something to be seen."""
        return bool(self.parts) or not self.few


NONE = Pictures()


def of_request(request: Mapping[str, Any]) -> Pictures:
    """All that messages have, whosever they are, in order; or the file of a task that looks at a picture."""
    given = request.get("input", {})
    contents = [message.get("content") for message in given.get("messages", ())]
    held = [part for content in contents if isinstance(content, list) for part in content if _holds_a_picture(part)]
    parts = [part for part in held if part.get("type") == "image_url"]
    all_told = len(parts) == len(held)
    if request.get("task") in OF_PICTURES and (file := given.get("file")):
        parts.append(_part(file.get("s3") or f"data:{file.get('media_type')};base64,{file.get('data')}"))
    few = len(parts) <= MOST_PICTURES and sum(len(address_of(each)) for each in parts) <= MOST_CHARACTERS
    # What lies at somebody's own address may be another picture for each who fetches it.
    return Pictures(tuple(parts), few and all_told and all(file_of(each) for each in parts))


def _holds_a_picture(part: Any) -> bool:
    """True also for what is not in the contract's form (`input_image`): some models may take it, and no engine does."""
    return isinstance(part, Mapping) and ("image" in str(part.get("type")).lower() or "image_url" in part)


def of_answer(output: Any, read: Callable[[int], bytes | None]) -> Pictures:
    """Those that were made.

    Args:
        output: the answer as it is kept.
        read: gives the bytes of its file with a number, from 1; None where it is not there any more.
    """
    files = output.get("files", ()) if isinstance(output, Mapping) else ()
    made = [(at, file) for at, file in enumerate(files, 1) if file["media_type"].startswith("image/")]
    if len(made) > MOST_MADE or sum(file["bytes"] for _, file in made) > MOST_MADE_BYTES:
        return Pictures(few=False)
    parts = tuple(
        _part(f"data:{file['media_type']};base64,{base64.b64encode(data).decode()}")
        for at, file in made
        if (data := read(at))  # one after the other: all are in memory as they are sent, and none twice
    )
    return Pictures(parts, few=len(parts) == len(made), apart=True)


def address_of(picture: Part) -> str:
    """Where it is: a `data:` URL, `s3://…`, or `https://…`."""
    held = picture.get("image_url")
    return str(held.get("url") if isinstance(held, Mapping) else held)


def file_of(picture: Part) -> dict[str, str] | None:
    """The same as services get it (`jobs.fields.Media`); None for one that they would have to fetch themselves."""
    address = address_of(picture)
    if address.lower().startswith("s3:"):
        return {"s3": address}
    head = _DATA.match(address)
    return {"data": address[head.end() :], "media_type": head.group(1).lower() or UNKNOWN} if head else None


def _part(address: str) -> Part:
    return {"type": "image_url", "image_url": {"url": address}}
