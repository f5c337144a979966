"""Which schemas are taken, and whether a value is valid under one."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from broker.errors import InvalidRequest
from broker.json_schema.graph import Graph
from broker.json_schema.places import Circular, Malformed, SchemaTooLarge, Unresolved, places
from broker.json_schema.references import MOST_PLACES

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MOST_WORK = 40_000_000
"""Of one check, in the units of `graph`: about a second of one processor."""

MOST_TO_EXPLAIN = 50_000
"""Of a check whose first fault is looked for: to tell of a fault costs a hundred times what it costs to find one."""

MOST_STEPS = 2_000
"""Of a pattern with look-around or back-references, on one text; what takes more does not match."""

MOST_BYTES = 1_000_000
"""Of a pattern as it is compiled."""

DRAFTS = frozenset(
    f"{address}/schema"
    for address in (
        "http://json-schema.org/draft-04",
        "http://json-schema.org/draft-06",
        "http://json-schema.org/draft-07",
        "https://json-schema.org/draft/2019-09",
        "https://json-schema.org/draft/2020-12",
    )
)
"""What `$schema` may name; a dialect of somebody's own is read as the last of them."""

UNKNOWN_DRAFTS = tuple(f"http://json-schema.org/draft-0{number}/" for number in (0, 1, 2, 3))
"""In which `extends`, `disallow` and a boolean `required` meant something."""

_LONGEST_PATH = 200


class TooMuch(Exception):
    """To check the value would take longer than anybody waits."""


@dataclass(frozen=True)
class Schema:
    """A schema that was checked; `check_schema` makes one."""

    graph: Graph
    validator: "Validator"

    def fault(self, value: Any, size: int) -> str | None:
        """The first rule that a value misses, as a path in the schema (`properties/a/type`); None where it is valid.

        Args:
            value: at most `json_text.DEEPEST` levels deep.
            size: about the characters that it has as JSON.

        Raises:
            TooMuch: it is too large, for a schema that looks at it so often.
        """
        if self._at_most * size > MOST_WORK and self.graph.work(value, MOST_WORK) > MOST_WORK:
            raise TooMuch
        if self.validator.is_valid(value):
            return None
        if self.graph.work(value, MOST_TO_EXPLAIN) > MOST_TO_EXPLAIN:
            return ""
        error = self.first_fault(value)
        return "/".join(str(part) for part in error.schema_path)[:_LONGEST_PATH] if error else ""

    def first_fault(self, value: Any) -> "ValidationError | None":
        """The first rule that a value misses, in the library's own words: for schemas of operators."""
        from jsonschema_rs import ValidationError

        try:
            self.validator.validate(value)
        except ValidationError as error:
            return error
        return None

    @cached_property
    def _at_most(self) -> float:
        return self.graph.work_by_character()


def check_schema(document: dict[str, Any], name: str = "output_schema") -> Schema:
    """Check a schema, without ever evaluating it.

    Args:
        document: the schema.
        name: of the field that holds it, for errors.

    Raises:
        InvalidRequest: it is no JSON Schema (`invalid_schema`), refers to something outside itself or to nothing
            (`unresolved_reference`), goes in a circle (`circular_schema`), or is too large with all that it refers to
            (`schema_too_large`).
    """
    try:
        dialect = _dialect(document)
        graph = Graph(document, dialect)
        return Schema(graph, _compiled(document, dialect))
    except Unresolved as error:
        _refuse(name, "unresolved_reference", f"a reference leads outside it or to nothing{_where(error.path)}")
    except Malformed as error:
        _refuse(name, "invalid_schema", f"it is no JSON Schema{_where(error.path)}")
    except Circular:
        _refuse(name, "circular_schema", "its references go in a circle, or it is nested too deep")
    except SchemaTooLarge:
        _refuse(name, "schema_too_large", "it is too large with all that its references bring in")


def check_places(document: dict[str, Any]) -> None:
    """Check only that objects and booleans stand where schemas do: of schemas that others will evaluate.

    Raises:
        InvalidRequest: names the place.
    """
    waiting: list[tuple[dict[str, Any], tuple[str, ...]]] = [(document, ())]
    looked_at = 0
    try:
        while waiting:
            each, path = waiting.pop()
            looked_at += 1
            if looked_at > MOST_PLACES:
                raise InvalidRequest(f"it has more than {MOST_PLACES} schemas in it", code="schema_too_large")
            waiting += [(inner, found) for _, inner, found in places(each, path) if isinstance(inner, dict)]
    except Malformed as error:
        message = f"it is no JSON Schema{_where(error.path)}"
        raise InvalidRequest(message, code="invalid_schema") from None


def _dialect(document: dict[str, Any]) -> str:
    """The draft that a schema is written in."""
    named = document.get("$schema", "")
    if not isinstance(named, str) or named.startswith(UNKNOWN_DRAFTS):
        raise Malformed(("$schema",))
    bare = named.removesuffix("#")
    return bare if bare in DRAFTS else max(DRAFTS)


def _compiled(document: dict[str, Any], dialect: str) -> "Validator":
    from jsonschema_rs import FancyRegexOptions, ValidationError, validator_for

    try:
        return validator_for(
            document | {"$schema": dialect},
            validate_formats=False,
            offline=True,
            pattern_options=FancyRegexOptions(backtrack_limit=MOST_STEPS, size_limit=MOST_BYTES),
        )
    except ValidationError as error:
        raise Malformed(tuple(str(part) for part in error.instance_path)) from None
    except ValueError:  # what the library says of what it cannot read at all
        raise Malformed(()) from None


def _where(path: tuple[str, ...]) -> str:
    return f" at {'/'.join(path)[:_LONGEST_PATH]}" if path else ""


def _refuse(name: str, code: str, why: str) -> NoReturn:
    raise InvalidRequest(f"{name} cannot be used: {why}.", code=code, param=name) from None
