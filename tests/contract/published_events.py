"""Holds an event against what is published of it: by itself, and among all that the broker sends."""

import json
from functools import cache
from typing import Any

from broker.envelope import VERSION
from jsonschema import Draft202012Validator

from tests.contract.stack import ROOT

FOLDER = ROOT / "schemas"


@cache
def event_validator(kind: str) -> Draft202012Validator:
    path = FOLDER / "events" / f"v{VERSION}" / f"{kind}.json"
    return Draft202012Validator(json.loads(path.read_text()))


def check_event(event: dict[str, Any]) -> None:
    """Refuse an event that is not as published; `detail-type` says which schema is its own."""
    event_validator(event["detail-type"]).validate(json.loads(json.dumps(event)))
