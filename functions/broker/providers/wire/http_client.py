"""JSON, forms and bytes over HTTPS for providers: one deadline for a whole call, and errors of the tree.

Nothing here retries or follows a redirect: the workflow decides about the next call, and each one is booked before it
is made. A provider's text (it may quote the prompt) and our key never reach a message.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3 import exceptions as broken
from urllib3.response import BaseHTTPResponse

from broker.errors import BadOutput, BrokerError, InvalidRequest, ModelTimedOut, Unavailable
from broker.providers.wire.connections import pool
from broker.providers.wire.failures import failure, failure_in_reply, in_reply
from broker.providers.wire.reply_json import parsed
from broker.providers.wire.sending import CONNECT_S, replied, sending
from broker.providers.wire.structured import loads

LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes; a thousand embeddings of three thousand numbers do not fit, more than any chat does."""
CHUNK = 64 * 1024
LONGEST_TEXT = 4000
"""Bytes of an error that is no JSON."""

_JSON = {"content-type": "application/json", "accept": "application/json"}

ReadError = Callable[[int, Any], BrokerError | None]
"""A service's own look at an error: status and JSON (or text) in, None to leave it to `failures`."""


def nothing(status: int, body: Any) -> None:
    """For services whose errors have no meanings of their own."""


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """A 2xx: the JSON it held (bytes, where those were asked for), and its headers by lower-case name."""

    body: Any
    headers: Mapping[str, str]


Part = str | tuple[str, bytes, str]
"""Of a form: a text, or a file's name, content and media type."""


def post_json(
    url: str,
    body: dict[str, Any],
    *,
    headers: Mapping[str, str],
    timeout: float,
    read_error: ReadError = nothing,
    places: bool = False,
) -> ProviderReply:
    """POST a JSON object and read the JSON reply.

    Args:
        url: of the call.
        body: what to send.
        headers: beside those of the content; values are Latin-1 without control characters.
        timeout: seconds for all of it, from connecting (at most five) to the last byte, however slowly bytes come;
            only looking up the host's name and trying its second address are not counted.
        read_error: the service's own look at an error.
        places: True where the request's messages are sent as they are, so that an error's place is theirs.

    Raises:
        ModelTimedOut: the time was over (`timeout`), or the provider says that its own was.
        Unavailable: no connection.
        BadOutput: the reply is no JSON or too large; it may have been paid for.
        BrokerError: by `failures`, also for an error that came as an answer.
    """
    reading = _Reading(read_error, places)
    return reading.json(_post(url, _encoded(body), _JSON, headers, timeout, reading))


def post_form(url: str, form: Mapping[str, Part], *, headers: Mapping[str, str], timeout: float) -> ProviderReply:
    """POST a form with files (`multipart/form-data`) and read the JSON reply; all else as `post_json`."""
    content, content_type = urllib3.encode_multipart_formdata(form)
    sent = _JSON | {"content-type": content_type}
    reading = _Reading()
    return reading.json(_post(url, content, sent, headers, timeout, reading))


def post_for_bytes(url: str, body: dict[str, Any], *, headers: Mapping[str, str], timeout: float) -> ProviderReply:
    """POST a JSON object whose reply is a sound or a picture; all else as `post_json`."""
    reading = _Reading()
    reply = _post(url, _encoded(body), _JSON | {"accept": "*/*"}, headers, timeout, reading)
    if reply.body[:1] == b"{":
        reading.check(_read_json(reply.body))
    return reply


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a service's errors are read."""

    read_error: ReadError = nothing
    places: bool = False

    def error(self, status: int, headers: Mapping[str, str], raw: bytes | None) -> BrokerError:
        body = _read_json(raw or b"")
        return self.read_error(status, body) or failure(status, headers, body, places=self.places)

    def json(self, reply: ProviderReply) -> ProviderReply:
        body = parsed(reply.body)
        self.check(body)
        return ProviderReply(body, reply.headers)

    def check(self, body: Any) -> None:
        if status := in_reply(body):
            raise self.read_error(status, body) or failure_in_reply(status, body, places=self.places)


def _read_json(raw: bytes) -> Any:
    """The JSON of an error, or its text; a web page has nothing to say."""
    try:
        return loads(raw)
    except ValueError:
        return None if raw.lstrip()[:1] == b"<" else raw[:LONGEST_TEXT].decode("utf-8", "replace")


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raise InvalidRequest("The request holds a number that JSON has not.", code="invalid_number") from None


def _post(
    url: str,
    content: bytes,
    kinds: Mapping[str, str],
    headers: Mapping[str, str],
    timeout: float,
    reading: _Reading,
) -> ProviderReply:
    status, received, raw = _exchange(url, content, {**kinds, **headers}, timeout)
    if 200 <= status < 300:
        if raw is None:
            raise BadOutput("The provider's reply is too large.", code="reply_too_large", maybe_paid=True)
        return ProviderReply(raw, received)
    raise reading.error(status, received, raw)


def _exchange(
    url: str, content: bytes, headers: Mapping[str, str], timeout: float
) -> tuple[int, dict[str, str], bytes | None]:
    limits = urllib3.Timeout(connect=min(CONNECT_S, timeout), total=timeout)
    if not url.startswith(("https://", "http://")):  # urllib3 would take it for http, and send the key in the clear
        raise Unavailable("The model's endpoint is not a URL.", code="bad_endpoint")
    manager = pool().manager()
    response: BaseHTTPResponse | None = None
    try:
        sending()
        response = manager.request(
            "POST",
            url,
            body=content,
            headers={"user-agent": "inference-broker", **headers},
            timeout=limits,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        received = {name.lower(): value for name, value in response.headers.items()}
        replied(received)
        if 200 <= response.status < 300:
            return response.status, received, _read(response)
        with suppress(broken.HTTPError):  # an error is known by its status, should its body be cut off or drip
            return response.status, received, _read(response)
        return response.status, received, None
    except (broken.HTTPError, ValueError) as error:
        # Without the cause: what urllib3 says may quote a header that the provider sent.
        raise _lost(error) from None
    finally:
        if response is not None:
            response.close()


def _read(response: BaseHTTPResponse) -> bytes | None:
    """The body, or None where it is too large."""
    parts: list[bytes] = []
    size = 0
    for part in response.stream(CHUNK, decode_content=True):
        size += len(part)
        if size > LARGEST_REPLY:
            return None
        parts.append(part)
    return b"".join(parts)


def _lost(error: Exception) -> BrokerError:
    if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
        return Unavailable("The provider's certificate is not trusted.", code="bad_certificate")
    _, kind, code, message, paid = next(row for row in _LOSSES if isinstance(error, row[0]))
    return kind(message, code=code, maybe_paid=paid)


_LOSSES: tuple[tuple[type[Exception], type[BrokerError], str, str, bool], ...] = (
    (broken.NewConnectionError, Unavailable, "unreachable", "The provider cannot be reached.", False),
    (
        broken.ConnectTimeoutError,
        Unavailable,
        "connect_timeout",
        "The provider did not take the connection in time.",
        False,
    ),
    (broken.LocationValueError, Unavailable, "bad_endpoint", "The model's endpoint is not a URL.", False),
    (broken.TimeoutError, ModelTimedOut, "timeout", "The provider did not answer in time.", True),
    (broken.DecodeError, BadOutput, "reply_not_json", "The provider's reply cannot be decoded.", True),
    (broken.HTTPError, Unavailable, "connection_lost", "The connection to the provider was lost.", True),
    (ValueError, Unavailable, "bad_endpoint", "The model's endpoint is not a URL.", False),
)
"""What can go wrong below HTTP: the first that fits. The last column: the request may have arrived."""
