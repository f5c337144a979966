"""One call for each documented reply of the route of transcriptions, whose body is a form."""

from typing import Any

from tests.contract.openapi_files import form

ROUTE = "/audio/transcriptions"

SOUND = {"filename": "said.wav", "data": "c291bmQ="}
TRANSCRIBED: dict[str, Any] = {"model": "writer", "file": SOUND}
"""What the form of `asked` says."""


def asked(**fields: str) -> dict[str, Any]:
    """A call with a form."""
    made = form("file", "sound", **{"model": "writer"} | fields)
    return made | {"body": made["body"].replace("rows.jsonl", "said.wav")}


def media_calls() -> list[Any]:
    """See the module."""
    keyed = {"headers": {**asked()["headers"], "idempotency-key": "k"}}
    return [
        ("POST", ROUTE, 200, "answer ended", asked() | keyed),
        ("POST", ROUTE, 400, None, asked(stream="true")),
        ("POST", ROUTE, 402, None, asked() | {"tenant": "poor"}),
        ("POST", ROUTE, 404, "answer erased", asked() | keyed),
        ("POST", ROUTE, 409, "answer being accepted", asked() | keyed),
        ("POST", ROUTE, 413, "answer too large", asked() | keyed),
        ("POST", ROUTE, 422, "answer of another", asked() | keyed),
        ("POST", ROUTE, 502, "answer failed 502", asked() | keyed),
        ("POST", ROUTE, 504, None, asked() | {"began": 0.0}),
    ]
