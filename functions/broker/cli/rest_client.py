"""The REST API, as the command calls it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from broker.cli.this_machine import is_loopback
from broker.errors import BrokerError, InvalidRequest

TIMEOUT_S = 40
"""API Gateway cuts a call after 29."""


class RestClient:
    """Calls the API of one base URL with one key."""

    def __init__(self, base_url: str, key: str) -> None:
        """Raises InvalidRequest where the key would go in the clear over a network."""
        if not base_url.startswith("https://") and not is_loopback(base_url):
            raise InvalidRequest(f"{base_url} is not https, so no key is sent there.", param="BROKER_URL")
        self._base_url = base_url.rstrip("/")
        self._key = key
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
            BrokerError: what the API said.
        """
        reply, told = self._ask(method, path, body, query, headers)
        if reply.status >= 300 and not _is_job(told):
            raise BrokerError(_message(told, reply.status))
        return told

    def location(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Where a reply leads (`Location`); the credential stays here.

        Raises:
            BrokerError: what the API said.
        """
        reply, told = self._ask("GET", path, None, query, {})
        where = reply.headers.get("location")
        if reply.status != 307 or where is None:
            raise BrokerError(_message(told, reply.status))
        return str(where)

    def _ask(
        self, method: str, path: str, body: Any, query: Mapping[str, Any] | None, headers: Mapping[str, str | None]
    ) -> tuple[urllib3.BaseHTTPResponse, Any]:
        """A reply, and the JSON in it, if it is that."""
        named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        sent = {"authorization": f"Bearer {self._key}", **({"content-type": "application/json"} if body else {})}
        try:
            reply = self._pool.request(
                method,
                f"{self._base_url}{path}" + (f"?{urlencode(asked)}" if asked else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=sent | named,
                redirect=False,
                timeout=TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError as error:
            raise BrokerError(f"{self._base_url} does not answer: {error}") from None
        try:
            return reply, json.loads(reply.data) if reply.data else None
        except ValueError:
            return reply, None


def _is_job(told: Any) -> bool:
    """True of a job whose answer is gone: it is told all the same, by a 410."""
    return isinstance(told, dict) and told.get("object") == "job"


def _message(told: Any, status: int) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict) or "message" not in error:
        return f"the API answered {status}"
    place = f" ({error['param']})" if error.get("param") else ""
    return f"{error['message']}{place}"
