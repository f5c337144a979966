"""What stands in the rows of a batch: from the bytes of a shard to requests, or to what is wrong with them.

The bytes are read where they came, or from the object that they were converted to when the batch was planned
(`rows.planning`), whose `rows_in` says `wrapped`: each of its lines tells which line it was before.

    {"line": 7, "body": …}       a request, or the variables of one
    {"line": 8, "error": …}      it could not be read (`BrokerError.facts`)
    {"line": 9, "body": …, "known": …}    what the broker knows of it, and no client can say
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from broker import json_text
from broker.batches.batch import Batch
from broker.batches.ports import RowBytes
from broker.batches.rows.lines import LONGEST, is_blank, split
from broker.batches.shard import Shard
from broker.errors import BrokerError, InvalidRequest, TooLarge
from broker.json_text import MAX_BODY_BYTES

if TYPE_CHECKING:
    from broker.jobs.request import JobRequest

BULK: dict[str, Any] = {"priority": "bulk"}
"""What a row says unless it says otherwise: nobody waits for one of many."""

CUSTOM_ID = "custom_id"
"""By which a row says what its client calls it; of a table, a column."""

MOST_ID_CHARS = 256
"""Of a row's `custom_id`."""


class Span(NamedTuple):
    """Where a row is: its place in the shard, its line in the file, and its bytes."""

    place: int
    line: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class RowRequest:
    """A row's request; in the form of another API (`doors.rows`) also what its client wrote."""

    body: Any
    """Of a job."""
    given: dict[str, Any] | None = None
    """The body that it was before, of a row in such a form."""
    places: Mapping[str, str] | None = None
    """Where the fields of the job's request stood in that."""

    def parse(self) -> "JobRequest":
        """Check it against the contract.

        Raises:
            InvalidRequest: names the field as it stands in the row.
        """
        from broker.jobs.request import parse_request  # not needed by who only looks at names

        try:
            return parse_request(self.body)
        except InvalidRequest as error:
            raise self.named(error) from None

    def named(self, error: InvalidRequest) -> InvalidRequest:
        """An error of the job's request, with the field named as it stands in the row."""
        if self.places is None:
            return error
        from broker.doors import rows  # of few batches

        return rows.named(error, self.places)


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a row."""

    place: int
    line: int
    """Of the file, from 1, as editors count."""
    custom_id: str | None = None
    request: RowRequest = RowRequest(None)
    """Of no use where there is an error."""
    error: BrokerError | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside the request, of a row that the broker made."""


def rows_of(batch: Batch, shard: Shard, rows: RowBytes) -> Iterator[tuple[Span, bytes]]:
    """The rows of a shard with their bytes, one by one; blank lines are none.

    Raises:
        NotFound: what they are read from was deleted.
    """
    offset, line, place = shard.offset, shard.line, 0
    for length, data in split(rows.pieces(batch.rows_in or {}, shard.offset, shard.length)):
        if not is_blank(data):
            yield Span(place, line, offset, length), data
            place += 1
        offset += length
        line += 1


def contents_of(batch: Batch, shard: Shard, rows: RowBytes) -> Iterator[Content]:
    """What stands in the rows of a shard, one by one; as `rows_of`."""
    return (content_of(batch, shard, span, data) for span, data in rows_of(batch, shard, rows))


def content_of(batch: Batch, shard: Shard, span: Span, data: bytes) -> Content:
    """What stands in one row."""
    is_wrapped = bool(batch.rows_in and batch.rows_in.get("wrapped"))
    line, custom_id, known = span.line, None, {}
    try:
        value = value_of(data)
        if is_wrapped:
            line, known = value["line"], value.get("known", {})
            value = unwrapped(value)
        custom_id, value = custom_id_of(value)
        if span.place in shard.doubles:
            message = "An earlier row of the batch has the same custom_id."
            raise InvalidRequest(message, code="duplicate_custom_id", param="custom_id")
        return Content(span.place, line, custom_id, request_of(batch.asked, custom_id, value), known=known)
    except InvalidRequest as error:
        return Content(span.place, line, custom_id, error=error)


def custom_id_of(body: Any) -> tuple[str | None, Any]:
    """What its client calls a row, and the request without it.

    Raises:
        InvalidRequest: the id is no text, or too long.
    """
    if not isinstance(body, dict) or "custom_id" not in body:
        return None, body
    given = body["custom_id"]
    if not isinstance(given, str) or not 1 <= len(given) <= MOST_ID_CHARS or not _is_unicode(given):
        message = f"custom_id: it has to be a text of 1 to {MOST_ID_CHARS} characters in Unicode"
        raise InvalidRequest(message, code="invalid_field", param="custom_id")
    return given, {name: value for name, value in body.items() if name != "custom_id"}


def _is_unicode(text: str) -> bool:
    """False of what has half of a surrogate pair, which cannot be written down."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def value_of(data: bytes) -> Any:
    """The JSON of a line.

    Raises:
        InvalidRequest: it is none, or too long.
    """
    if len(data.rstrip(b"\r\n")) > MAX_BODY_BYTES or len(data) >= LONGEST:
        raise TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes.", code="body_too_large")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The text is not UTF-8.", code="invalid_encoding") from None
    return json_text.read(text)


def wrapped(line: int, **facts: Any) -> bytes:
    """A line of our own: the row's `body`, or its `error` (`BrokerError.facts`)."""
    told = {"line": line, **facts}
    try:
        return json.dumps(told, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair: whoever checks the request says so, under its line
        return json.dumps(told).encode() + b"\n"


def unwrapped(value: dict[str, Any]) -> Any:
    """The row in a line of our own.

    Raises:
        InvalidRequest: it could not be read.
    """
    if error := value.get("error"):
        raise InvalidRequest(error["message"], code=error["code"], param=error.get("param"))
    return value["body"]


def request_of(asked: dict[str, Any], custom_id: str | None, value: Any) -> RowRequest:
    """A row's request: what it says itself, over what the batch says for all; or, of variables, the batch's prompt.

    Args:
        asked: of the batch. Its `defaults` are a JSON text, for the tables hold no fractions.
        custom_id: of the row.
        value: the row, without its `custom_id`.

    Raises:
        InvalidRequest: the row is not of its batch's form, or of variables.
    """
    if endpoint := asked.get("endpoint"):
        from broker.doors import rows  # of few batches

        given = rows.job_of(endpoint, custom_id, value)
        return RowRequest(BULK | given.job, value[rows.BODY], given.places)
    defaults = BULK | json.loads(asked.get("defaults", "{}"))
    if prompt := asked.get("prompt"):
        if not isinstance(value, dict):
            raise InvalidRequest("A row has to be an object: its names are the prompt's variables.", code="invalid_row")
        return RowRequest({**defaults, "prompt": {**prompt, "variables": value}})
    return RowRequest({**defaults, **value} if isinstance(value, dict) else value)
