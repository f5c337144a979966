"""What every format that speaks JSON over HTTPS does alike with a call and its reply."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlsplit

from broker.cached_input import NOT_CACHED, CachedInput
from broker.errors import BadOutput, BrokerError, CredentialRejected, InvalidRequest, Rejected
from broker.providers.wire.base import Call
from broker.providers.wire.http_client import ProviderReply
from broker.providers.wire.values import counted as counted
from broker.providers.wire.values import field as field
from broker.token_estimates import estimate

Json = dict[str, Any]


def base_url(call: Call, default: str) -> str:
    """The model's endpoint, else the provider's own; without a slash at its end."""
    return (call.endpoint or default).rstrip("/")


def is_host(url: str, *hosts: str) -> bool:
    """Whether a URL leads to one of these hosts, or to one below it."""
    host = urlsplit(url).hostname or ""
    return any(host == each or host.endswith(f".{each}") for each in hosts)


def key(call: Call) -> str | None:
    """The provider's key as a header can carry it; None where the model has none.

    Raises:
        CredentialRejected: no header can carry it.
    """
    secret = (call.secret or "").strip()
    if not (secret.isascii() and secret.isprintable()):
        # http.client would say so too, and quote the key.
        raise CredentialRejected("The provider's key has characters that no header can carry.", code="bad_key")
    return secret or None


def headers(call: Call, name: str = "authorization", form: str = "Bearer {}") -> dict[str, str]:
    """The header that carries the key; none without a key."""
    secret = key(call)
    return {name: form.format(secret)} if secret else {}


def texts(call: Call) -> list[str]:
    """The request's `input.text`: each of several is a turn of its own in a chat, and a vector of its own.

    Raises:
        InvalidRequest: there is none.
    """
    text = call.input.get("text")
    found = [text] if isinstance(text, str) else list(text or [])
    if not found:
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    return found


def first(body: Any, name: str) -> Json:
    """The first of a reply's list of objects.

    Raises:
        BadOutput: there is none.
    """
    entries = field(body, name)
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        bad(f"The provider's reply has no {name}.")
    return entries[0]


def used(reported: int | None, text: str) -> int:
    """Tokens as they were told, else the estimate for a text."""
    return estimate(text) if reported is None else reported


def facts(reply: ProviderReply, header: str = "x-request-id") -> dict[str, str]:
    """The provider's own id of the request, for the attempt's record."""
    found = reply.headers.get(header, "")
    return {"request_id": found[:128]} if found else {}


def unsupported_task() -> Rejected:
    """For a task that is not the provider's."""
    return Rejected("The model's provider does not do this task.", code="unsupported_task", param="task")


@contextmanager
def charged(reported: tuple[int | None, int | None], cached: CachedInput = NOT_CACHED) -> Iterator[None]:
    """Give the errors of reading a reply the tokens that it told, in and out; nothing where it told none."""
    try:
        yield
    except BrokerError as error:
        if error.tokens is None and any(reported):
            error.tokens, error.cached = (reported[0] or 0, reported[1] or 0), cached
        raise


def bad(message: str, code: str = "malformed_reply") -> NoReturn:
    """Say that a reply, which may have been paid for, is not what was asked for."""
    raise BadOutput(message, code=code, maybe_paid=True)
