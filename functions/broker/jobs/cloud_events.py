"""CloudEvents 1.0 in structured JSON, as the detail of an event that asks for work.

Source: CloudEvents 1.0.2, "Context Attributes" and "JSON Event Format". Its `id` is unique for its `source`, so the two
together are what tells a repeat, however often the sender puts it on the bus.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from broker.errors import InvalidRequest

SPEC_VERSION = "1.0"

NEEDED = ("specversion", "id", "source", "type")
"""Attributes that each has: texts, and not empty."""

OWN = (*NEEDED, "time", "subject", "datacontenttype", "dataschema")
"""Those of the specification."""

ATTRIBUTE = "^[a-z0-9]+$"
"""How attributes are spelled, extensions among them."""

JSON_TYPE = r"^[^;]*/(?:[^;]*\+)?json\s*(?:;.*)?$"

MOST_CHARACTERS = 1_024
"""Of `id` and of `source`."""


class Opened(NamedTuple):
    """What was in it, and the key by which it is known again."""

    data: Any
    key: str


def is_cloud_event(detail: Any) -> bool:
    """Whether a detail is one, right or wrong: nothing else has the attribute that names the specification."""
    return isinstance(detail, Mapping) and "specversion" in detail


def open_cloud_event(detail: Mapping[str, Any]) -> Opened:
    """Take one apart.

    Raises:
        InvalidRequest: it is none by the specification, or holds something other than JSON.
    """
    for name in NEEDED:
        _needs(isinstance(detail.get(name), str) and detail[name], name, "it has to be a text, and not empty")
    _needs(detail["specversion"] == SPEC_VERSION, "specversion", f"it has to be {SPEC_VERSION!r}")
    for name in ("id", "source"):
        _needs(len(detail[name]) <= MOST_CHARACTERS, name, f"it has to have {MOST_CHARACTERS} characters at most")
    _needs("data_base64" not in detail, "data_base64", "send `data`, as JSON")
    for name, value in detail.items():
        if name == "data":
            continue
        _needs(re.fullmatch(ATTRIBUTE, name), name, "there is no such attribute")
        simple = value is None or isinstance(value, str) or (isinstance(value, bool | int) and name not in OWN)
        _needs(simple, name, "it has to be a text")
    kind = detail.get("datacontenttype")
    _needs(kind is None or re.fullmatch(JSON_TYPE, kind), "datacontenttype", "it has to be JSON's")
    _needs("data" in detail, "data", "it is needed")
    told = f"{len(detail['source'])}:{detail['source']}{detail['id']}"
    return Opened(detail["data"], f"cloudevent:{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()}")


def _needs(truth: Any, name: str, words: str) -> None:
    if not truth:
        raise InvalidRequest(f"{name}: {words}", code="invalid_field", param=name)
