"""What is wrong with a request, in the contract's words: the models find it, and their library is not heard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Discriminator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

NEEDED = "it is needed"
NO_OBJECT = "it has to be an object"
NO_NUMBER = "it has to be a number"
NO_WHOLE_NUMBER = "it has to be a whole number"
NO_TRUTH = "it has to be true or false"

WORDS: dict[str, str] = {
    "missing": NEEDED,
    "extra_forbidden": "there is no such field",
    "string_type": "it has to be a text",
    "string_sub_type": "it has to be a text",
    "string_unicode": "it has to be a text in Unicode",
    "string_too_short": "it has to have {min_length} characters at least",
    "string_too_long": "it has to have {max_length} characters at most",
    "int_type": NO_WHOLE_NUMBER,
    "int_parsing": NO_WHOLE_NUMBER,
    "int_parsing_size": "it is too large a number",
    "int_from_float": NO_WHOLE_NUMBER,
    "float_type": NO_NUMBER,
    "float_parsing": NO_NUMBER,
    "finite_number": "it has to be a finite number",
    "greater_than": "it has to be above {gt}",
    "greater_than_equal": "it has to be {ge} at least",
    "less_than": "it has to be below {lt}",
    "less_than_equal": "it has to be {le} at most",
    "bool_type": NO_TRUTH,
    "bool_parsing": NO_TRUTH,
    "none_required": "it has to be null",
    "list_type": "it has to be an array",
    "too_short": "it has to have {min_length} entries at least",
    "too_long": "it has to have {max_length} entries at most",
    "dict_type": NO_OBJECT,
    "model_type": NO_OBJECT,
    "model_attributes_type": NO_OBJECT,
    "enum": "it has to be one of {expected}",
    "literal_error": "it has to be {expected}",
    "union_tag_not_found": NEEDED,
    "union_tag_invalid": "it has to be one of {expected_tags}",
    "date_type": "it has to be a date",
    "date_parsing": "it has to be a date",
    "date_from_datetime_parsing": "it has to be a date",
    "date_from_datetime_inexact": "it has to be a date without a time",
    "value_error": "{error}",
    "unfit": "{message}",
}
"""By the library's type of an error; the names in braces are what it tells of one. None of them is what was sent."""

MISSING = ("missing", "union_tag_not_found")

OTHERWISE = "it is not as the contract has it"


FORM = "form"
"""The type of an error whose message is our own (`one_of`, `Spelled`)."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """A text that has to match a pattern: a schema shows the pattern, an error says in `words` what it asks for.

    The words are said of whatever else is wrong with the text too, so they tell its length where that is bounded; such
    bounds stand before it (`Annotated[str, Field(max_length=…), Spelled(…)]`).
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text's schema with the pattern, and the one error that it gives."""
        text: Any = {**handler(source), "pattern": self.pattern}
        return core_schema.custom_error_schema(text, FORM, custom_error_message=self.words)


def at(field: str, message: str) -> PydanticCustomError:
    """A fault that shows only with other fields in view, at the field that has to change (dotted, from the body)."""
    return PydanticCustomError("unfit", "{message}", {"field": field, "message": message})


def here(message: str) -> PydanticCustomError:
    """A fault of the very field that is looked at."""
    return PydanticCustomError("unfit", "{message}", {"message": message})


def few(given: Any, most: int) -> Any:
    """An object as it is, if it has so few fields that each can be an error of its own.

    Raises:
        PydanticCustomError: it has more.
    """
    if isinstance(given, dict) and len(given) > most:
        raise here(f"it has to have {most} entries at most")
    return given


def one_of(form: Callable[[Any], str | None], message: str) -> Discriminator:
    """Tells the forms of a field apart by what was sent; `message` is said where `form` gives None."""
    return Discriminator(form, custom_error_type=FORM, custom_error_message=message)


def words(error: ErrorDetails) -> str:
    """What is wrong."""
    if error["type"] == FORM:
        return error["msg"]
    return WORDS.get(error["type"], OTHERWISE).format(**error.get("ctx", {}))


def place(error: ErrorDetails, body: Any) -> str | None:
    """The place at fault, dotted: as far as it lies in the body, or one name further where something is missing.

    The library also names the alternatives that it tried, which are not in the body: they are left out.
    """
    context = error.get("ctx", {})
    if field := context.get("field"):
        return _named(str(field), body)
    path = list(error["loc"])
    if error["type"].startswith("union_tag"):
        path.append(str(context["discriminator"]).strip("'"))
    found: list[str] = []
    for number, part in enumerate(path, start=1):
        try:
            body = body[part]
        except (LookupError, TypeError):
            if error["type"] in MISSING and number == len(path):
                found.append(str(part))
            continue
        found.append(str(part))
    return ".".join(found) or None


def _named(field: str, body: Any) -> str:
    """A field that `at` named, as far as it can lie in the body: where `input` is a text, `input.text` is `input`."""
    found: list[str] = []
    for part in field.split("."):
        if isinstance(body, list):
            body = body[int(part)]
        elif isinstance(body, Mapping):
            body = body.get(part, {})
        else:
            break
        found.append(part)
    return ".".join(found)
