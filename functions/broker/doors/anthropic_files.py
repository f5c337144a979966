"""Anthropic's files: stored files in its form, and blocks of messages that name one as blocks that have its bytes.

Source: Anthropic's API reference, "Files", and the types of its Python package. What its package sends while the routes
are in beta (`before_id`, `after_id`) is taken as well as what it sends since (`page`).
"""

import base64
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from broker.doors.reading import Fields, Json, refuse
from broker.errors import InvalidRequest

USUAL_PAGE, MOST_LISTED = 20, 1_000

LEAST_KEPT_S, MOST_KEPT_S = 3_600, 7_776_000
"""An hour to ninety days."""

PAGE = "page_"

OCTETS = "application/octet-stream"
KINDS = {
    **{".csv": "text/csv", ".htm": "text/html", ".html": "text/html", ".md": "text/markdown", ".txt": "text/plain"},
    **{".json": "application/json", ".jsonl": "application/jsonl", ".pdf": "application/pdf"},
    **{".gif": "image/gif", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"},
}
"""What is told of a file by its name's ending; what it is used as goes by its bytes."""

MOST_FILES = 20
"""In one message."""

Load = Callable[[str, str], tuple[str, bytes]]
"""Gives name and bytes of a file, by its id and the place in the body that names it."""

PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def upload_of(form: Json, filename: str, size: int) -> Json:
    """A form as the body of a file (`files.bodies.FileBody`); `size` in bytes.

    Raises:
        InvalidRequest: names the field at fault.
    """
    fields = Fields(form)
    kept = fields.text("expires_in_seconds")
    fields.end()
    name = PurePosixPath(filename.replace("\\", "/")).name or "unnamed"
    body: Json = {"filename": name, "bytes": size, "purpose": "user_data"}
    if kept is None:
        return body
    whole = int(kept) if kept.isascii() and kept.isdigit() and len(kept) < 10 else 0
    if not LEAST_KEPT_S <= whole <= MOST_KEPT_S:
        refuse("expires_in_seconds", f"it is a whole number from {LEAST_KEPT_S} to {MOST_KEPT_S}", "invalid_field")
    return body | {"expires_after": {"seconds": whole}}


def file_of(known: Json) -> Json:
    """A file (`id`, `filename`, `bytes`, `created_at` and `until` as texts, `is_there`) in Anthropic's words."""
    return {
        "id": known["id"],
        "type": "file",
        "filename": known["filename"],
        "mime_type": KINDS.get(PurePosixPath(known["filename"]).suffix.lower(), OCTETS),
        "size_bytes": known["bytes"],
        "created_at": known["created_at"],
        "expires_at": known["until"],
        "downloadable": known["is_there"],
    }


def asked_page(query: Json) -> tuple[int, str | None, bool]:
    """How many files, from the one next to which, and whether those that are newer than that one.

    Raises:
        InvalidRequest: the query makes no sense, or has what is not supported.
    """
    for name in ("ids", "ids[]", "scope_id"):
        if name in query:
            refuse(name, "it is not supported")
    given = str(query.get("limit") or USUAL_PAGE)
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST_LISTED):
        raise InvalidRequest(f"limit is from 1 to {MOST_LISTED}.", param="limit")
    ways = [name for name in ("page", "after_id", "before_id") if query.get(name)]
    if len(ways) > 1:
        raise InvalidRequest(f"{ways[1]}: it does not go with {ways[0]}.", param=ways[1])
    if not ways:
        return int(given), None, False
    near = str(query[ways[0]])
    if ways[0] == "page":
        if not near.startswith(PAGE):
            raise InvalidRequest("page is the next_page of a page.", param="page")
        near = near.removeprefix(PAGE)
    return int(given), near, ways[0] == "before_id"


def page_of(files: list[Json], more: bool, *, newer: bool) -> Json:
    """A page, the newest file first; `more` where there is more in the direction that was asked for (`newer`)."""
    ends = {"first_id": files[0]["id"] if files else None, "last_id": files[-1]["id"] if files else None}
    goes_on = files and (more or newer)
    return {"data": files, "has_more": more, **ends, "next_page": f"{PAGE}{ends['last_id']}" if goes_on else None}


def with_files(body: Any, load: Load) -> Any:
    """The body of a message with the bytes of the files that it names, as if they had been sent along.

    Raises:
        InvalidRequest: a file is not what its block is for.
        NotFound: of `load`.
    """
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        return body
    left = MOST_FILES

    def block(given: Any, place: str, *, is_within: bool) -> Any:
        nonlocal left
        match given:
            case {"type": "image" | "document", "source": {"type": "file", **source}}:
                left -= 1
                if left < 0:
                    refuse(place, f"a message names {MOST_FILES} files at most", "invalid_field")
                return _inlined(given, Fields(source, f"{place}.source"), load)
            case {"type": "tool_result", "content": list() as content} if not is_within:  # there is none in another
                return given | {"content": blocks(content, f"{place}.content", is_within=True)}
        return given

    def blocks(content: list[Any], place: str, *, is_within: bool = False) -> list[Any]:
        return [block(each, f"{place}.{number}", is_within=is_within) for number, each in enumerate(content)]

    def message(given: Any, place: str) -> Any:
        match given:
            case {"content": list() as content}:
                return given | {"content": blocks(content, f"{place}.content")}
        return given

    return body | {"messages": [message(each, f"messages.{n}") for n, each in enumerate(body["messages"])]}


def _inlined(block: Json, source: Fields, load: Load) -> Json:
    file_id, place = source.needed_text("file_id"), source.place("file_id")
    source.end()
    name, data = load(file_id, place)
    picture = _picture(data)
    if block["type"] == "image":
        if picture is None:
            refuse(place, "the file is no picture (JPEG, PNG, GIF or WebP)", "invalid_field")
        return block | {"source": _base64(picture, data)}
    if data.startswith(b"%PDF-"):
        titled = block if block.get("title") else block | {"title": name}
        return titled | {"source": _base64("application/pdf", data)}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(place, "the file is neither a PDF nor a text in UTF-8", "invalid_field")
    return block | {"source": {"type": "text", "media_type": "text/plain", "data": text}}


def _picture(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in PICTURES if data.startswith(beginning)), None)


def _base64(kind: str, data: bytes) -> Json:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}
