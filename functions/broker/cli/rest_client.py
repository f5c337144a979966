"""The REST API, as the command calls it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from broker.cli.next_steps import next_step
from broker.cli.running import DryRun
from broker.cli.this_machine import is_loopback
from broker.errors import (
    BrokerError,
    BudgetExceeded,
    Forbidden,
    Gone,
    InvalidRequest,
    NotCancelable,
    NotFound,
    TooManyAtOnce,
    Unavailable,
)

TIMEOUT_S = 40
"""API Gateway cuts a call after 29."""

BYTES_TIMEOUT_S = 120
"""For a connection to the bucket, and for each wait for bytes."""


ASKING = frozenset({"/estimates", "/batches/estimate"})
"""Routes that change nothing, though they are posted to."""

KINDS: dict[int, type[BrokerError]] = {
    401: Forbidden,
    402: BudgetExceeded,
    403: Forbidden,
    404: NotFound,
    409: NotCancelable,
    410: Gone,
    429: TooManyAtOnce,
}
"""What a reply's status is an error of."""

PIECE_BYTES = 1 << 16


class Sink(Protocol):
    """What takes bytes as they come."""

    def write(self, data: bytes, /) -> int:
        """Take some more; gives how many."""
        ...


class RestClient:
    """Calls the API of one base URL with one key."""

    def __init__(self, base_url: str, key: str, *, dry_run: bool = False) -> None:
        """With `dry_run` a call that would change something raises DryRun.

        Raises:
            InvalidRequest: the key would go in the clear over a network.
        """
        if not base_url.startswith("https://") and not is_loopback(base_url):
            raise InvalidRequest(f"{base_url} is not https, so no key is sent there.", param="BROKER_URL")
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._dry_run = dry_run
        self._pool = urllib3.PoolManager(retries=False)

    def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None, **headers: str | None
    ) -> Any:
        """The body of a reply.

        Args:
            method: of HTTP.
            path: a route's, such as `/jobs`.
            body: made JSON.
            query: what is None is left out.
            headers: names with underscores; what is None is left out.

        Raises:
            NotFound: there is no such thing for the key's tenant.
            InvalidRequest: the API refused it for another reason, so nothing was done.
            BrokerError: what the API said, or that it did not answer; it may have been done.
            DryRun: it would change something.
        """
        asks = path in ASKING or (isinstance(body, dict) and body.get("dry_run") is True)
        if self._dry_run and method != "GET" and not asks:
            request = {"method": method, "path": path, "body": body}
            raise DryRun(f"nothing was done; it would be: {method} {path}{_body(body)}", request=request)
        named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        reply = self._request(method, path + (f"?{urlencode(asked)}" if asked else ""), body, named)
        told = _read(reply.data)
        if reply.status >= 300 and not _is_job(told):
            raise _error(told, reply.status)
        return told

    def pages(self, path: str, query: dict[str, Any], most: int | None) -> Iterator[Any]:
        """The rows of a list, page by page; `most` at most."""
        cursor, left = None, most
        while left is None or left > 0:
            limit = 100 if left is None else min(100, left)
            page = self.call("GET", path, query={**query, "limit": limit, "cursor": cursor})
            yield from page["data"] if left is None else page["data"][:left]
            left = None if left is None else left - len(page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def put(self, url: str, headers: Mapping[str, str], data: bytes) -> None:
        """Put bytes where a reply said, without the key.

        Raises:
            Unavailable: they may not have come whole; they can be put again.
            BrokerError: they are not taken.
        """
        _check(url, "upload.url")
        try:
            reply = self._pool.request("PUT", url, body=data, headers=dict(headers), timeout=BYTES_TIMEOUT_S)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"The bucket did not take the bytes: {type(error).__name__}.") from None
        if reply.status >= 300:
            kind = Unavailable if reply.status >= 500 else BrokerError
            raise kind(f"The bucket answered {reply.status} to the bytes.")

    def fetch(self, path: str, to: Path | Sink) -> int:
        """Write what a route leads to into a file, or give it on as it comes; gives the number of bytes.

        The key goes to the API alone.

        Raises:
            BrokerError: what the API said, or that there are no bytes.
        """
        reply = self._request("GET", path, None, {})
        if reply.status == 200:  # few enough to come at once
            return _write(to, [reply.data])
        if reply.status != 307:
            raise _error(_read(reply.data), reply.status)
        url = reply.headers["location"]
        _check(url, "location")
        try:
            found = self._pool.request("GET", url, timeout=BYTES_TIMEOUT_S, preload_content=False)
            if found.status != 200:
                raise BrokerError(f"The bucket answered {found.status}.")
            return _write(to, found.stream(PIECE_BYTES))
        except urllib3.exceptions.HTTPError as error:
            raise BrokerError(f"The bucket does not answer: {type(error).__name__}.") from None

    def _request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        sent = {"authorization": f"Bearer {self._key}", **({"content-type": "application/json"} if body else {})}
        try:
            return self._pool.request(
                method,
                f"{self._base_url}{path}",
                body=None if body is None else json.dumps(body).encode(),
                headers=sent | dict(headers),
                timeout=TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"{self._base_url} does not answer: {error}") from None


def _body(body: Any) -> str:
    return "" if body is None else f" {json.dumps(body, ensure_ascii=False)}"


def _write(to: Path | Sink, pieces: Iterable[bytes]) -> int:
    with to.open("wb") if isinstance(to, Path) else nullcontext(to) as file:
        return sum(map(file.write, pieces))


def _check(url: str, param: str) -> None:
    if not url.startswith("https://") and not is_loopback(url):
        raise InvalidRequest(f"{url.partition('?')[0]} is not https, so nothing is sent there.", param=param)


def _read(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _is_job(told: Any) -> bool:
    """True of a job whose answer is gone: it is told all the same, by a 410."""
    return isinstance(told, dict) and told.get("object") == "job"


def _error(told: Any, status: int) -> BrokerError:
    kind = KINDS.get(status, InvalidRequest if status < 500 else Unavailable)
    facts = told.get("error") if isinstance(told, dict) else None
    if not isinstance(facts, dict):  # of whoever stands before the API
        return kind(_message(told, status), beside={"next_step": next_step(kind.type, "")})
    said, code = str(facts.get("type") or kind.type), str(facts.get("code") or "")
    beside = {"type": said, "request_id": facts.get("request_id"), "next_step": next_step(said, code)}
    return kind(_message(told, status), code=code or None, param=facts.get("param"), beside=beside)


def _message(told: Any, status: int) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict) or "message" not in error:
        return f"the API answered {status}"
    message, param = error["message"], error.get("param")
    return f"{message} ({param})" if param and not message.startswith(f"{param}:") else message
