"""What the rules of several formats have in common."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

from local.model_server.exchange import Json, Problem

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CHOICES_AT_ROOT = ("anyOf", "oneOf", "allOf", "not", "enum")
_MAGIC = {
    "image/png": (0, b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": (0, b"\xff\xd8\xff"),
    "image/gif": (0, b"GIF8"),
    "image/webp": (8, b"WEBP"),
}


def refuse(message: str, param: str | None = None) -> NoReturn:
    """Give a 400."""
    raise Problem("invalid", message, param)


def objects(value: object) -> list[Json]:
    """The objects of a list; a value of another shape is for whoever reads the body."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def twice(values: Iterable[object]) -> list[object]:
    """What is there more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


def is_plain_object(schema: object) -> bool:
    """True for a schema of an object that is no choice between several."""
    return isinstance(schema, dict) and schema.get("type") == "object" and not schema.keys() & {*CHOICES_AT_ROOT}


def is_mislabelled(media_type: object, data: object) -> bool:
    """True for a picture in base64 whose bytes are of another type than it was said to be."""
    try:
        content = base64.b64decode(str(data)[:24])
    except (ValueError, binascii.Error):
        return True
    found = [kind for kind, (at, magic) in _MAGIC.items() if content.startswith(magic, at)]
    return bool(found) and media_type not in found
