"""A short way through botocore for services that speak JSON, at less than two fifths of its CPU time.

The request that goes well, which is nearly each, is made here: JSON, botocore's signer, urllib3. Whatever else comes
back (an error, a lost connection, a damaged reply) is handed to botocore's client as the outcome of its own first
attempt. So errors, their classes, retries and pauses are botocore's, and there is no second copy of its rules.

Replies are JSON as it came: bytes are base64 text and times are numbers, of which botocore would make objects.
"""

import io
import json
import socket
import ssl
import time
import zlib
from base64 import b64encode
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, cached_property
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError
from botocore.handlers import add_recursion_detection_header
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection

ONCE = urllib3.Retry(False)
"""Repeating is for botocore to decide."""

OUTCOME: ContextVar[AWSResponse | HTTPClientError | None] = ContextVar("OUTCOME", default=None)
"""Of the first attempt, on its way to botocore's client."""


def suits(client: Any) -> bool:
    """True where a client of botocore can be shortened: JSON, and an endpoint that is plain to see."""
    meta = client.meta
    special = (
        meta.config.use_fips_endpoint or meta.config.use_dualstack_endpoint or get_environ_proxies(meta.endpoint_url)
    )
    return meta.service_model.resolved_protocol == "json" and not special


class _Unsettled(Exception):
    """What came back is for botocore to judge."""

    def __init__(self, outcome: AWSResponse | HTTPClientError) -> None:
        super().__init__()
        self.outcome = outcome


class LeanClient:
    """Looks like the botocore client that it is made of; what is not an operation is that client's."""

    def __init__(self, client: Any, credentials: Any, verify: Any = True) -> None:
        """`client` suits and has a `user_agent`; `credentials` are its session's; `verify` is a bundle, or True."""
        self._client = client
        self._credentials = credentials
        self._model, config = client.meta.service_model, client.meta.config
        self._scope = self._model.signing_name, client.meta.region_name
        self._url: str = client.meta.endpoint_url
        parts = urlsplit(self._url)
        self._path = parts.path or "/"
        version = self._model.metadata["jsonVersion"]
        self._signed_headers = {"content-type": f"application/x-amz-json-{version}", "host": parts.netloc}
        if "awsQueryCompatible" in self._model.metadata:
            self._signed_headers["x-amzn-query-mode"] = "true"  # errors keep the codes of the older protocol
        self._user_agent: str = config.user_agent
        self._trusted = get_cert_path(verify) if parts.scheme == "https" else None
        self._timeout = urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout)
        self._most = config.max_pool_connections
        client.meta.events.register_first(f"before-send.{self._model.service_id.hyphenize()}", _first_outcome)

    @cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool:
        tls = {"ssl_context": _trusting(self._trusted)} if self._trusted else {}
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        return urllib3.connection_from_url(
            self._url, timeout=self._timeout, maxsize=self._most, socket_options=options, **tls
        )

    def __getattr__(self, name: str) -> Any:
        operation = self._client.meta.method_to_api_mapping.get(name)
        if operation is None:
            return getattr(self._client, name)
        call = self._operation(getattr(self._client, name), self._model.operation_model(operation))
        setattr(self, name, call)  # found at once from now on
        return call

    def _operation(self, with_botocore: Callable[..., Any], model: Any) -> Callable[..., Any]:
        target = f"{self._model.metadata['targetPrefix']}.{model.name}"
        tokens = model.idempotent_members

        def call(**request: Any) -> Any:
            for token in tokens:
                request.setdefault(token, str(uuid4()))  # as botocore does; all attempts share it
            try:
                return self._attempt(target, request)
            except _Unsettled as error:
                outcome = error.outcome
            before = OUTCOME.set(outcome)
            try:
                return with_botocore(**request)
            finally:
                OUTCOME.reset(before)

        return call

    def _attempt(self, target: str, request: dict[str, Any]) -> Any:
        body = json.dumps(request, default=_base64, separators=(",", ":")).encode()
        headers = self._headers(target, body)
        try:
            reply = self._pool.urlopen(
                "POST", self._path, body, headers, retries=ONCE, redirect=False, assert_same_host=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise _Unsettled(HTTPClientError(error=error)) from None
        checksum = reply.headers.get("x-amz-crc32")  # DynamoDB's
        if reply.status == 200 and (checksum is None or int(checksum) == zlib.crc32(reply.data)):
            return json.loads(reply.data) if reply.data else {}
        received: Any = reply.headers
        unread = urllib3.HTTPResponse(io.BytesIO(reply.data), received, reply.status, preload_content=False)
        raise _Unsettled(AWSResponse(self._url, reply.status, received, unread))

    def _headers(self, target: str, body: bytes) -> dict[str, str]:
        """With a signature over all that do not change on the way.

        The form is that of a POST without a query (IAM User Guide, "Create a signed AWS API request").
        """
        credentials = self._credentials.get_frozen_credentials()
        signer = SigV4Auth(credentials, *self._scope)
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {**self._signed_headers, "x-amz-date": now, "x-amz-target": target}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = sorted(headers)
        listed, lines = ";".join(names), "".join([f"{name}:{headers[name]}\n" for name in names])
        canonical = f"POST\n{self._path}\n\n{lines}\n{listed}\n{sha256(body).hexdigest()}"
        signed: Any = SimpleNamespace(context={"timestamp": now})  # all that the signer wants of a request
        signature = signer.signature(signer.string_to_sign(signed, canonical), signed)
        authorization = f"Credential={signer.scope(signed)}, SignedHeaders={listed}, Signature={signature}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {authorization}"
        headers["user-agent"] = self._user_agent
        add_recursion_detection_header({"headers": headers})
        return headers


@cache
def _trusting(bundle: str) -> ssl.SSLContext:
    """One for the process: reading a bundle takes 20 ms of CPU time, and botocore does so for each new connection."""
    context: ssl.SSLContext = create_urllib3_context()
    context.load_verify_locations(bundle)
    return context


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _first_outcome(**_: Any) -> AWSResponse | None:
    """What botocore takes as the outcome of its first attempt in place of sending it; None to have it send."""
    outcome = OUTCOME.get()
    OUTCOME.set(None)
    if isinstance(outcome, HTTPClientError):
        raise outcome
    return outcome
