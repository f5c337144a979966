"""OpenAI's `prompt` of a response as one of the broker's stored prompts."""

import re
from typing import Any

from broker.doors.reading import Fields, Json


def prompt_of(fields: Fields) -> Json | None:
    """A stored prompt; a version that is a number is one, any other word is a label."""
    given = fields.take("prompt")
    if given is None:
        return None
    prompt = Fields(given, "prompt")
    found: Json = {"id": prompt.need("id")}
    if version := prompt.text("version"):
        found |= {"version": int(version)} if re.fullmatch("[0-9]{1,9}", version) else {"label": version}
    variables = Fields(prompt.take("variables") or {}, "prompt.variables")
    found["variables"] = {name: _variable(f"prompt.variables.{name}", variables.take(name)) for name in variables.names}
    prompt.end()
    return found


def _variable(place: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    part = Fields(value, place)
    part.only("type", "input_text")
    text = part.text("text")
    part.end()
    return text
