"""Reading a dialect's body: each field is taken by its name, and what nobody took is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from broker.errors import InvalidRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A body as a job request, and where in the body its fields came from (the longest beginning counts)."""

    job: Json
    places: Mapping[str, str] = field(default_factory=dict)
    waits: bool = True
    """Whether the client wants the answer itself; else it asks for it later."""
    streams: bool = False
    """Whether it wants the answer as an event stream."""
    tells_usage: bool = True
    """Whether such a stream is to tell what was used."""


def refuse(place: str, why: str, code: str = "unsupported") -> NoReturn:
    """Say that a field is not taken.

    Raises:
        InvalidRequest: it names the field.
    """
    raise InvalidRequest(f"{place}: {why}", code=code, param=place)


class Fields:
    """The fields of one object; null is a field that is not there, as in OpenAI's and Anthropic's references."""

    def __init__(self, body: Any, place: str = "") -> None:
        """`place` is where the object stands in the body (`tools.0`).

        Raises:
            InvalidRequest: it is no object.
        """
        self._place = place
        if not isinstance(body, Mapping):
            if place:
                refuse(place, "it has to be an object", "invalid_field")
            raise InvalidRequest("The body must be a JSON object.", code="invalid_body")
        self._left = {str(name): value for name, value in body.items() if value is not None}

    def place(self, name: str) -> str:
        """Where a field stands in the body."""
        return f"{self._place}.{name}" if self._place else name

    @property
    def names(self) -> list[str]:
        """Of the fields that nobody took so far."""
        return list(self._left)

    def take(self, name: str) -> Any:
        """A field as it is, or None; what it has to be is checked where the job is."""
        return self._left.pop(name, None)

    def need(self, name: str) -> Any:
        """A field that has to be there.

        Raises:
            InvalidRequest: it is missing.
        """
        if name not in self._left:
            refuse(self.place(name), "it is needed", "invalid_field")
        return self._left.pop(name)

    def text(self, name: str) -> str | None:
        """A text, or None.

        Raises:
            InvalidRequest: it is something else.
        """
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, str):
            refuse(self.place(name), "it has to be a text", "invalid_field")
        return value

    def needed_text(self, name: str) -> str:
        """A text that has to be there.

        Raises:
            InvalidRequest: it is missing, or something else.
        """
        value = self.text(name)
        if value is None:
            refuse(self.place(name), "it is needed", "invalid_field")
        return value

    def each(self, name: str) -> list[tuple[str, Any]]:
        """The entries of a list with their places; none where it is not there.

        Raises:
            InvalidRequest: it is no list.
        """
        value = self._left.pop(name, None)
        return [] if value is None else entries(value, self.place(name))

    def truth(self, name: str, otherwise: bool = False) -> bool:
        """What the field says; `otherwise` where it is not there.

        Raises:
            InvalidRequest: it is neither true nor false.
        """
        value = self._left.pop(name, otherwise)
        if not isinstance(value, bool):
            refuse(self.place(name), "it has to be true or false", "invalid_field")
        return value

    def only(self, name: str, *values: Any) -> None:
        """A field that may only say what holds anyway.

        Raises:
            InvalidRequest: it says something else.
        """
        value = self._left.pop(name, None)
        if value is not None and not any(type(value) is type(each) and value == each for each in values):
            known = f"only {' or '.join(map(_shown, values))} is" if values else "it is not"
            refuse(self.place(name), f"{known} supported")

    def end(self) -> None:
        """Be done with the object.

        Raises:
            InvalidRequest: there is a field that nobody took.
        """
        for name in self._left:
            refuse(self.place(name), "it is not supported")


OURS = ("provider_options", "on_unsupported")
"""Fields of a job that a dialect has no words for, and that its clients may send beside their own."""


def ours(fields: Fields) -> Json:
    """The same of one body; what they have to be is checked where the job is."""
    return {name: value for name in OURS if (value := fields.take(name)) is not None}


def entries(value: Any, place: str) -> list[tuple[str, Any]]:
    """The entries of a list with their places.

    Raises:
        InvalidRequest: it is no list.
    """
    if not isinstance(value, list):
        refuse(place, "it has to be an array", "invalid_field")
    return [(f"{place}.{number}", entry) for number, entry in enumerate(value)]


def _shown(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


CODES = {
    ("previous_response_id", "previous_job_not_found"): "previous_response_not_found",
    ("previous_response_id", "context_exceeded"): "context_length_exceeded",
}
"""Codes that clients look for, by the field as they send it and our own code."""


def renamed(error: InvalidRequest, places: Mapping[str, str]) -> InvalidRequest:
    """The error of a job request with the field named as the client sent it."""
    param = error.param
    if param is None:
        return error
    found = max((each for each in places if f"{param}.".startswith(f"{each}.")), key=len, default=None)
    if found is not None:
        new = f"{places[found]}{param[len(found) :]}".lstrip(".")
        error.code = CODES.get((new, error.code), error.code)
        error.message = new + error.message[len(param) :] if error.message.startswith(f"{param}:") else error.message
        error.param = new
    return error
