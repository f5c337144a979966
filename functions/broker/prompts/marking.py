"""Values apart from instructions: each stands between markers that it cannot forge (`guardrails.markers`)."""

import json
from collections.abc import Mapping
from typing import Any

from broker.guardrails.markers import RULE, between, unforgeable
from broker.prompts.engine import Schema

HARMLESS = ("integer", "number", "boolean")
"""Types whose values cannot say anything."""


class Marker:
    """Marks the values of one filling; `used` tells whether there were any."""

    def __init__(self, template: str, values: Mapping[str, Any]) -> None:
        self._nonce = unforgeable(json.dumps(values, ensure_ascii=False, sort_keys=True), template)
        self.used = False

    def __call__(self, text: str, schema: Schema) -> str:
        """See `engine.Wrap`. Numbers, what operators listed and what they trust stand as they are."""
        if schema.get("trusted") or schema["type"] in HARMLESS or "enum" in schema:
            return text
        self.used = True
        return between(text, self._nonce)

    @property
    def rule(self) -> str:
        """The line that says what the markers mean."""
        return RULE.format(nonce=self._nonce)
