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

from broker import clock
from broker.errors import BadOutput, BrokerError, CredentialRejected, InvalidRequest, Throttled, Unavailable
from broker.providers.wire.connections import pool
from broker.providers.wire.sending import CONNECT_S, sending
from broker.providers.wire.structured import loads

LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes; a thousand embeddings of three thousand numbers do not fit, more than any chat does."""
CHUNK = 64 * 1024

STATUSES: dict[int, type[BrokerError]] = {
    **dict.fromkeys((400, 404, 405, 413, 415, 422), InvalidRequest),
    # 402 is an unpaid bill: as with a wrong key, only an operator can help, and other models still may.
    **dict.fromkeys((401, 402, 403), CredentialRejected),
    429: Throttled,
}
"""What a status means. All others, 408, 5xx, 529 and redirects among them, are `Unavailable`."""

GATEWAY_TIMEOUTS = frozenset({504, 524})
"""Sent by a gateway that stopped waiting (524 is Cloudflare's): the model behind it may have done the work."""

_SAID: dict[type[BrokerError], str] = {
    InvalidRequest: "does not accept the request",
    CredentialRejected: "does not accept the broker's key",
    Throttled: "asks for a pause",
    Unavailable: "could not answer",
}

_JSON = {"content-type": "application/json", "accept": "application/json"}

ReadError = Callable[[int, Any], BrokerError | None]
"""A format's look at an error's body, for its codes and types: status and JSON in, None to leave it to the table."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx: the JSON it held (bytes, where those were asked for), and its headers by lower-case name."""

    body: Any
    headers: Mapping[str, str]


Part = str | tuple[str, bytes, str]
"""Of a form: a text, or a file's name, content and media type."""


def post_json(
    url: str, body: dict[str, Any], *, headers: Mapping[str, str], timeout: float, read_error: ReadError
) -> Reply:
    """POST a JSON object and read the JSON reply.

    Args:
        url: of the call.
        body: what to send.
        headers: beside those of the content; values are Latin-1 without control characters.
        timeout: seconds for all of it, from connecting (at most five) to the last byte, however slowly bytes come;
            only looking up the host's name and trying its second address are not counted.
        read_error: the format's look at the body of an error.

    Raises:
        InvalidRequest, CredentialRejected, Throttled, Unavailable: by `STATUSES`, or no connection.
        BadOutput: the reply is no JSON or too large; it may have been paid for.
        BrokerError: what `read_error` makes of the body of an error.
    """
    return _as_json(_post(url, _encoded(body), _JSON, headers, timeout, read_error))


def post_form(
    url: str, form: Mapping[str, Part], *, headers: Mapping[str, str], timeout: float, read_error: ReadError
) -> Reply:
    """POST a form with files (`multipart/form-data`) and read the JSON reply; all else as `post_json`."""
    content, content_type = urllib3.encode_multipart_formdata(form)
    sent = _JSON | {"content-type": content_type}
    return _as_json(_post(url, content, sent, headers, timeout, read_error))


def post_for_bytes(
    url: str, body: dict[str, Any], *, headers: Mapping[str, str], timeout: float, read_error: ReadError
) -> Reply:
    """POST a JSON object whose reply is a sound or a picture; all else as `post_json`."""
    return _post(url, _encoded(body), _JSON | {"accept": "*/*"}, headers, timeout, read_error)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raise InvalidRequest("The request holds a number that JSON has not.", code="invalid_number") from None


def _as_json(reply: Reply) -> Reply:
    try:
        return Reply(loads(reply.body), reply.headers)
    except ValueError:
        raise BadOutput("The provider's reply is not JSON.", code="reply_not_json", maybe_paid=True) from None


def _post(
    url: str,
    content: bytes,
    kinds: Mapping[str, str],
    headers: Mapping[str, str],
    timeout: float,
    read_error: ReadError,
) -> Reply:
    status, told, raw = _exchange(url, content, {**kinds, **headers}, timeout)
    if 200 <= status < 300:
        if raw is None:
            raise BadOutput("The provider's reply is too large.", code="reply_too_large", maybe_paid=True)
        return Reply(raw, told)
    try:
        found = loads(raw or b"null")
    except ValueError:
        found = None
    raise read_error(status, found) or failure(status, told)


def failure(status: int, headers: Mapping[str, str]) -> BrokerError:
    """The error that a status stands for; `headers` by lower-case name."""
    kind = STATUSES.get(status, Unavailable)
    return kind(
        f"The provider {_SAID[kind]} (HTTP {status}).",
        code=f"http_{status}",
        retry_after=retry_after(headers) if kind is Throttled else None,
        maybe_paid=status in GATEWAY_TIMEOUTS,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: `retry-after-ms` (OpenAI's) where it is there, else `Retry-After`."""
    precise = clock.retry_after(headers.get("retry-after-ms"))
    return clock.retry_after(headers.get("retry-after")) if precise is None else precise / 1000


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
        told = {name.lower(): value for name, value in response.headers.items()}
        if 200 <= response.status < 300:
            return response.status, told, _read(response)
        with suppress(broken.HTTPError):  # an error is known by its status, should its body be cut off or drip
            return response.status, told, _read(response)
        return response.status, told, None
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
    _, code, message, paid = next(row for row in _LOSSES if isinstance(error, row[0]))
    return (BadOutput if isinstance(error, broken.DecodeError) else Unavailable)(message, code=code, maybe_paid=paid)


_LOSSES: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (broken.NewConnectionError, "unreachable", "The provider cannot be reached.", False),
    (broken.ConnectTimeoutError, "connect_timeout", "The provider did not take the connection in time.", False),
    (broken.LocationValueError, "bad_endpoint", "The model's endpoint is not a URL.", False),
    (broken.TimeoutError, "timeout", "The provider did not answer in time.", True),
    (broken.DecodeError, "reply_not_json", "The provider's reply cannot be decoded.", True),
    (broken.HTTPError, "connection_lost", "The connection to the provider was lost.", True),
    (ValueError, "bad_endpoint", "The model's endpoint is not a URL.", False),
)
"""What can go wrong below HTTP: the first that fits. The last column: the request may have arrived."""
