"""Rows of a batch in OpenAI's form, and the lines of its results.

    {"custom_id", "method": "POST", "url": "/v1/…", "body"}      ──►  {"id", "custom_id", "response", "error"}

A row's body goes through the mapping of the route that it names, and so does its answer. Nobody waits for a row: it is
not streamed, and its answer has to be kept until it is collected.

Source: OpenAI's guide "Batch API", and its API reference, "The request input object" and "The request output object".
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from broker.doors import anthropic, chat_completions, embeddings, messages, moderations, responses
from broker.doors.openai import failure_of
from broker.doors.reading import Asked, Fields, Json, refuse, renamed
from broker.errors import InvalidRequest

PREFIX = "batch_req_"

BODY = "body"
"""Where the request stands in a row."""


def _error_of(view: Json) -> tuple[int, Json]:
    status, error = failure_of(view)
    return status, {"error": error}


def _message_instead(view: Json) -> tuple[int, Json]:
    told = messages.message_instead(view)
    return (200, told) if told is not None else anthropic.error_of(*failure_of(view))


def _kept_response(body: Any) -> Asked:
    asked = responses.job_of(body)
    if body.get("store") is False:
        refuse("store", "an answer that is collected later has to be kept")
    return asked


class RowForm(NamedTuple):
    """A route that rows may name."""

    job_of: Callable[[Any], Asked]
    """A body as a job request. Raises InvalidRequest."""
    answer_of: Callable[[Json, Json, Json], Json]
    """What the route answers: by the view of a job that has an answer, its request as it is kept, and the body."""
    pieces_of: Callable[[Json, bytes, Json], Iterator[bytes]] | None = None
    """The same as JSON in pieces, where an answer may be larger than what is read at once: by the view, the answer as
    JSON, and the body."""
    ended_of: Callable[[Json], tuple[int, Json]] = _error_of
    """Status and body by which the route tells of a job that ended without an answer, by its view."""


FORMS: dict[str, RowForm] = {
    "/v1/chat/completions": RowForm(
        chat_completions.job_of, lambda view, asked, body: chat_completions.completion_of(view, asked)
    ),
    "/v1/responses": RowForm(_kept_response, lambda view, asked, body: responses.response_of(view, asked)),
    "/v1/embeddings": RowForm(embeddings.job_of, embeddings.answer_of, embeddings.pieces_of),
    "/v1/moderations": RowForm(moderations.job_of, lambda view, asked, body: moderations.moderation_of(view, body)),
    "/v1/messages": RowForm(
        messages.job_of, lambda view, asked, body: messages.message_of(view), ended_of=_message_instead
    ),
}
"""By its path, as clients write it. Another route is one more line."""

ENDPOINTS = tuple(FORMS)


def job_of(endpoint: str, custom_id: str | None, row: Any) -> Asked:
    """A row as a job request.

    Args:
        endpoint: of the batch, one of `ENDPOINTS`.
        custom_id: of the row.
        row: what else stands in it.

    Returns:
        The request. Its places are where fields came from in the row's body; see `named`.

    Raises:
        InvalidRequest: it names the field, as it stands in the row.
    """
    if not isinstance(row, Mapping):
        raise InvalidRequest("A row has to be an object.", code="invalid_row")
    if custom_id is None:
        refuse("custom_id", "it is needed", "invalid_field")
    fields = Fields(row)
    if fields.need("method") != "POST":
        refuse("method", "it has to be POST", "invalid_method")
    if (url := fields.need("url")) != endpoint:
        known = "the batch is of another endpoint" if url in ENDPOINTS else "no rows of it are taken"
        refuse("url", f"{known}: it has to be {endpoint}", "invalid_url")
    body = fields.need(BODY)
    fields.end()
    Fields(body, BODY)
    try:
        asked = FORMS[endpoint].job_of(body)
        if asked.streams:
            refuse("stream", "a row of a batch is not streamed")
    except InvalidRequest as error:
        raise _in_body(error) from None
    return asked


def named(error: InvalidRequest, places: Mapping[str, str]) -> InvalidRequest:
    """The error of a job request that a row was made to, with the field named as it stands in the row."""
    return _in_body(renamed(error, places))


def _in_body(error: InvalidRequest) -> InvalidRequest:
    if error.param is not None:
        if error.message.startswith(f"{error.param}:"):
            error.message = f"{BODY}.{error.message}"
        error.param = f"{BODY}.{error.param}"
    return error


class RowOf(NamedTuple):
    """Which row a line is about."""

    job_id: str
    """That it has, or would have had."""
    custom_id: str | None
    line: int | None
    duplicate_of: int | None = None
    """The line of the row whose answer it has."""


def failed_line(row: RowOf, error: Json) -> bytes:
    """The line of a row that became no job, or whose job is gone."""
    facts = {name: error.get(name) for name in ("code", "message", "param")}
    return _line(row, None, facts | {"line": row.line})


def ended_line(form: RowForm, row: RowOf, view: Json) -> bytes:
    """The line of a row whose job ended without an answer."""
    status, body = form.ended_of(view)
    return _line(row, _response(status, view, body))


def answered_line(form: RowForm, row: RowOf, view: Json, asked: Json, body: Json) -> bytes:
    """The line of a row that has an answer; as `RowForm.answer_of`."""
    return _line(row, _response(200, view, form.answer_of(view, asked, body)))


def answered_pieces(row: RowOf, view: Json, pieces: Iterator[bytes], mark: str) -> Iterator[bytes]:
    """The same in pieces, of an answer in pieces (`RowForm.pieces_of`); `mark` is a text that stands nowhere in it."""
    before, _, after = _line(row, _response(200, view, mark)).partition(f'"{mark}"'.encode())
    yield before
    yield from pieces
    yield after


def _response(status: int, view: Json, body: Any) -> Json:
    return {"status_code": status, "request_id": view["id"], "body": body}


def _line(row: RowOf, response: Json | None, error: Json | None = None) -> bytes:
    told: Json = {"id": f"{PREFIX}{row.job_id.removeprefix('job_')}", "custom_id": row.custom_id}
    told |= {"response": response, "error": error}
    if row.duplicate_of is not None:
        told["duplicate_of"] = row.duplicate_of
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
