"""Numbers and truth values of a body as JSON Schema has them: no text is a number, no number is true, and 5.0 is whole.

Left alone, the models' library would guess: `"5"` a number, `"yes"` true, `true` the number one.
"""

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

NO_SCHEMAS = ("default", "metadata", "serialization")
"""What a schema of the library's holds beside other schemas."""


def _within(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: each if name in NO_SCHEMAS else _exact(each) for name, each in schema.items()}


def _exact(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_exact, value))
    if not isinstance(value, dict):
        return value
    match value.get("type"):
        case "int":
            return core_schema.no_info_before_validator_function(_whole, {**value, "strict": True})
        case "bool" | "float":
            return {**value, "strict": True}
    return _within(value)


def _whole(given: Any) -> Any:
    """A number without a fraction is an integer (JSON Schema 2020-12, validation, section 6.1.1), as `5.0` is."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


class Exact(BaseModel):
    """What is checked of a body, so exactly, in every field that it has or will have."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The library's schema of the model, made exact; parts that are models make themselves so."""
        schema = handler(source)
        own: Any = handler.resolve_ref_schema(schema)
        own.update(_within(own))
        return schema
