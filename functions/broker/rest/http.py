"""API Gateway's proxy events and replies (payload format 1.0), and errors in their public form."""

import base64
import json
import time
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from broker import json_text
from broker.errors import (
    BrokerError,
    Forbidden,
    InvalidRequest,
    KeyInFlight,
    RateLimited,
    Throttled,
    TooLarge,
    TooManyAtOnce,
    Unavailable,
)
from broker.json_text import MAX_BODY_BYTES
from broker.permissions.who import NOBODY, Member

READABLE = (
    "etag, idempotent-replayed, link, location, preference-applied, request-id, retry-after, retry-after-ms, "
    "x-request-id, x-should-retry, ratelimit, ratelimit-policy, x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, anthropic-ratelimit-requests-limit, "
    "anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset, anthropic-ratelimit-tokens-limit, "
    "anthropic-ratelimit-tokens-remaining, anthropic-ratelimit-tokens-reset"
)
"""The headers of replies that pages may read beside those that they always may (Fetch standard, "CORS protocol")."""

AS_A_FILE = (
    "Send it as a file: below your prefix of the inbox bucket, one request as .json, several as the lines of a .jsonl; "
    "pictures, documents and sounds below media/, named by s3:// in the request. What /files is to keep is put to the "
    "bucket (send its name and size as JSON to /files), or comes in parts by /uploads."
)
"""What to do with a body that is too large; the template's reply of API Gateway says the same."""

MOST_WAIT_S = 25
"""From when the function got the call, whatever accepting took of it; API Gateway cuts a call after 29 seconds."""

REST = "{proxy+}"
"""The last part of the template's routes for what no other takes."""

DOOR = "rest"
"""By which jobs come that are asked for by the broker's own routes."""

USERS_NAME = "users:name"
"""The scope of callers who say for which of their own users a request is."""

PII_READ = "pii:read"
"""The scope of callers who get answers with the values in the place of their placeholders."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call: who, what, and with which headers (names in lower case)."""

    method: str
    resource: str
    """The route's template, such as `/jobs/{id}`."""
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: str | None
    tenant: str
    principal: str
    scopes: frozenset[str]
    request_id: str
    base_url: str
    """Of the REST API, as the caller reached it or as operators say it is reached; empty for operators' routes."""
    began: float = field(default_factory=time.monotonic)
    """When the function got it, by the clock that only goes forward."""
    sent_at: int | None = None
    """When API Gateway got it, in milliseconds since the epoch."""
    key: str = ""
    """The id of the API key; its own limits are in `limits`, by the fields of a registry's entry."""
    limits: dict[str, Any] = field(default_factory=dict)
    door: str = DOOR
    """By which a job comes that it asks for in the broker's own words."""
    member: Member = NOBODY
    """The caller's application, groups and roles."""
    told: dict[str, str] = field(default_factory=dict)
    """Headers of the reply, whatever else becomes of the request."""

    @classmethod
    def of(cls, event: dict[str, Any], public_url: str = "") -> "Request":
        """Read a proxy event; the identity is the authorizer's, never the client's.

        Args:
            event: API Gateway's.
            public_url: the base URL to tell, perhaps with `{api}` for the API's id; empty for the caller's own way.
        """
        identity = event["requestContext"]["authorizer"]
        base_url = base_url_of(event, public_url)
        made = cls._read(
            event, base_url, identity["tenant"], identity["principal"], frozenset(identity["scopes"].split())
        )
        limits, member = (json.loads(identity.get(name, "{}")) for name in ("limits", "member"))
        return replace(made, key=identity.get("key", ""), limits=limits, member=Member.of(member))

    @classmethod
    def signed(cls, event: dict[str, Any]) -> "Request":
        """Read a proxy event of an IAM-signed route: the principal is the caller's ARN, empty where there is none."""
        identity = event["requestContext"].get("identity") or {}
        return cls._read(event, "", "", identity.get("userArn") or "", frozenset())

    @classmethod
    def _read(
        cls, event: dict[str, Any], base_url: str, tenant: str, principal: str, scopes: frozenset[str]
    ) -> "Request":
        body = event.get("body")
        if body and event.get("isBase64Encoded"):
            body = _decoded(body)
        return cls(
            method=event["httpMethod"],
            resource=event["resource"],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=body,
            tenant=tenant,
            principal=principal,
            scopes=scopes,
            request_id=event["requestContext"]["requestId"],
            base_url=base_url,
            sent_at=event["requestContext"].get("requestTimeEpoch"),
        )

    @property
    def idempotency_key(self) -> str | None:
        """The key, of a structured-field string (`"…"`, as the draft has it) or a bare one, as many clients send."""
        header = self.headers.get("idempotency-key")
        if header is None:
            return None
        text = header.strip()
        return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text

    def need(self, scope: str) -> None:
        """Stop here without a scope.

        Raises:
            Forbidden: the caller lacks it.
        """
        if not self.scopes & {scope, "*"}:
            raise Forbidden(f"The credential lacks the scope {scope}.", code="missing_scope")

    def may_see_values(self) -> bool:
        """Whether what was redacted is filled in again; no other scope stands for this one, not even all (`*`)."""
        return PII_READ in self.scopes

    def may_name_users(self) -> bool:
        """Whether it is believed whom a request is for; no other scope stands for this one either."""
        return USERS_NAME in self.scopes

    def json(self) -> Any:
        """The body.

        Raises:
            TooLarge: it has more bytes than are taken.
            InvalidRequest: there is none, it is not UTF-8, or it is not JSON.
        """
        if self.body is None:
            raise InvalidRequest("A JSON body is needed.", code="invalid_body")
        try:
            size = len(self.body.encode())
        except UnicodeEncodeError:
            raise InvalidRequest("The body is not UTF-8.", code="invalid_encoding") from None
        if size > MAX_BODY_BYTES:
            raise TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes. {AS_A_FILE}", code="body_too_large")
        return json_text.read(self.body)

    def raw_body(self) -> bytes:
        """The body as it was sent, whatever it is; empty where there is none.

        Raises:
            InvalidRequest: it was text, and not UTF-8.
        """
        try:
            return (self.body or "").encode(errors="surrogateescape")
        except UnicodeEncodeError:
            raise InvalidRequest("The body is not UTF-8.", code="invalid_encoding") from None

    def included(self, known: tuple[str, ...]) -> list[str]:
        """What `include` asks for, by commas.

        Raises:
            InvalidRequest: it names something that is not known here.
        """
        asked = [name.strip() for name in self.query["include"].split(",")] if self.query.get("include") else []
        if set(asked) - {*known}:
            raise InvalidRequest(f"include is one of {', '.join(known)}.", param="include")
        return asked

    def number(self, name: str, default: int) -> int:
        """A whole number from the query.

        Raises:
            InvalidRequest: it is none.
        """
        text = self.query.get(name, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InvalidRequest(f"{name} is a whole number.", param=name)
        return int(text)


def base_url_of(event: dict[str, Any], public_url: str) -> str:
    """The URL that the API's routes hang on.

    API Gateway names the domain that it took the call for, which is one of the API's own and no header of the caller's,
    and the path as it was called, with the stage or the base path of a custom domain before the resource ("Input format
    of a Lambda function for proxy integration", API Gateway Developer Guide).
    """
    context = event["requestContext"]
    if public_url:
        return public_url.replace("{api}", context["apiId"])
    called = event["resource"].replace(REST, (event.get("pathParameters") or {}).get("proxy", ""))
    before = context["path"].rstrip("/").split("/")[: -called.rstrip("/").count("/")]
    return f"https://{context['domainName']}{'/'.join(before)}"


def _decoded(body: str) -> str:
    """The text of encoded bytes; of those that are not UTF-8, one that cannot be encoded again (PEP 383)."""
    try:
        return base64.b64decode(body, validate=True).decode(errors="surrogateescape")
    except ValueError:
        return ""  # no bytes, so no JSON either: a route that needs a body says so


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back; `body` is made JSON, but for a text, which is sent as it stands."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    job_id: str | None = None
    """Of the job that was accepted, or found again, by the call; it is not sent."""
    bodiless: bool = False
    """Whether only the headers are sent."""

    def proxy(self, request_id: str, origin: str = "") -> dict[str, Any]:
        """The form that API Gateway takes; pages of `origin` (one, or `*`) may read it in browsers."""
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        headers |= {
            "x-request-id": request_id,
            "request-id": request_id,
        }  # as OpenAI's clients read it, and Anthropic's
        if origin:
            headers |= {"access-control-allow-origin": origin, "access-control-expose-headers": READABLE}
        if self.bodiless:
            body = ""
        elif self.body is None or isinstance(self.body, str):
            body = self.body or ""
        else:
            body = json.dumps(self.body, ensure_ascii=False)
        return {"statusCode": self.status, "headers": headers | self.headers, "body": body}


MOST_RETRY_AFTER_S = 120
"""What is longer, clients take for a no: those of OpenAI repeat nothing then."""

PASSING = (Unavailable, Throttled, KeyInFlight, TooManyAtOnce)
"""Errors that may be gone at the next try. All else is as it is, but for what nobody foresaw."""


def error_reply(error: BrokerError, request_id: str) -> Reply:
    """An error in its public form (`schemas/error.json`), and whether clients that repeat by themselves are to."""
    passes = isinstance(error, PASSING) or type(error) is BrokerError
    if isinstance(error, RateLimited):
        passes = error.retry_after is not None and error.retry_after <= MOST_RETRY_AFTER_S
    body = {**error.facts(), "param": error.param, "request_id": request_id, **error.beside}
    return Reply(error.status, {"error": body}, repeating(passes, error.retry_after))


def repeating(again: bool, after_s: float | None = None) -> dict[str, str]:
    """The headers that tell a client whether to repeat a request, and after how many seconds."""
    headers = {"x-should-retry": "true" if again else "false"}
    if after_s is not None:
        pause = min(after_s, MOST_RETRY_AFTER_S)
        headers |= {"retry-after": str(max(1, ceil(pause))), "retry-after-ms": str(max(1, ceil(pause * 1000)))}
    return headers
