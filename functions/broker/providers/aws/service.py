"""The requests of one call to an AWS service, and how its replies are read."""

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NoReturn

from botocore import exceptions as broken

from broker.errors import BadOutput, BrokerError, InvalidRequest, ModelTimedOut, Rejected, Unavailable
from broker.providers.aws.client import UNREADABLE, Json, MakeClient, Row, lost, make_client, rejected, rounded
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.http_client import CHUNK, LARGEST_REPLY
from broker.providers.wire.structured import check_storable
from broker.providers.wire.values import field

SHORTEST_S = 0.5
"""With less of its time left, a call sends no further request."""

ReadError = Callable[[Mapping[str, Any]], BrokerError | None]
"""A service's own look at an error (`ClientError.response`); None to leave it to the tables."""


class AwsService:
    """One AWS service; its clients are kept for their region and timeout, of which there are few."""

    def __init__(
        self,
        service: str,
        name: str,
        own: Mapping[str, Row] = {},
        make: MakeClient = make_client,
        read_error: ReadError = lambda reply: None,
    ) -> None:
        """Keep what is the service's own.

        Args:
            service: its name in botocore.
            name: its name for people.
            own: its error codes, before the common ones.
            make: the way to make clients.
            read_error: its look at an error, before all tables.
        """
        self.name = name
        self.client = lru_cache(maxsize=16)(partial(make, service))
        self._own = own
        self._read_error = read_error

    def failure(self, error: Exception) -> BrokerError:
        """What a fault of a request means."""
        if isinstance(error, broken.ClientError):
            reply: Mapping[str, Any] = error.response
            return self._read_error(reply) or rejected(self.name, reply, self._own)
        if isinstance(error, broken.BotoCoreError | broken.HTTPClientError):
            return lost(self.name, error)
        message = f"{self.name}'s reply is not in the form of the service."
        return BadOutput(message, code="malformed_reply", maybe_paid=True)


class Exchange:
    """The requests of one call: one after the other, each tried once, all within the call's time."""

    def __init__(self, service: AwsService, call: Call) -> None:
        """Start the clock; `call.endpoint` is the region."""
        self._service = service
        self._region = call.endpoint
        self._timeout = call.timeout
        self._until = time.monotonic() + call.timeout
        self.facts: dict[str, str] = {}
        """`request_id`, of the last request."""
        self.requests = 0
        """How many were answered: each has been paid for."""

    def ask(self, operation: str, **request: Any) -> Json:
        """Make one request (`operation` as botocore's method); what went before it stays paid for if it fails.

        Raises:
            BrokerError: as the tables have it; `ModelTimedOut` (`timeout`) where the call's time is over.
        """
        timeout = self.left()
        try:
            client = self._service.client(self._region, timeout)
        except (broken.BotoCoreError, ValueError):
            message = f"{self._service.name} has no such region or endpoint."
            raise Unavailable(message, code="bad_endpoint") from None
        try:
            reply: Json = getattr(client, operation)(**request)
            if not isinstance(reply, dict):
                raise TypeError
        except (broken.ClientError, broken.BotoCoreError, broken.HTTPClientError, *UNREADABLE) as error:
            raise self._failure(error) from None
        self.requests += 1
        request_id = field(reply, "ResponseMetadata", "RequestId")
        self.facts = {"request_id": str(request_id)[:128]} if request_id else {}
        return reply

    def read(self, stream: Any) -> bytes:
        """A body that streams.

        Raises:
            BadOutput: it is too large.
            Unavailable: it was cut off.
            ModelTimedOut: the call's time is over.
        """
        parts: list[bytes] = []
        size = 0
        try:
            while part := stream.read(CHUNK):
                parts.append(part)
                size += len(part)
                if size > LARGEST_REPLY:
                    bad(f"{self._service.name}'s reply is too large.", code="reply_too_large")
                self.left()
        except (broken.BotoCoreError, broken.HTTPClientError, *UNREADABLE) as error:
            raise self._failure(error) from None
        return b"".join(parts)

    def answer(self, output: Json, *, units: Mapping[str, int], files: tuple[Blob, ...] = ()) -> Answer:
        """The answer, with the id of the last request.

        Raises:
            BadOutput: the output holds what no store takes (half of a surrogate pair, NaN).
        """
        try:
            check_storable(output)
        except ValueError:
            bad(f"{self._service.name}'s answer is not text.")
        return Answer(output, facts=self.facts, units=units, files=files)

    def left(self) -> float:
        """Seconds for the next request. After the first: a power of two, so that few clients are made.

        Raises:
            ModelTimedOut: there are hardly any.
        """
        if not self.requests:
            return self._timeout
        left = self._until - time.monotonic()
        if left < SHORTEST_S:
            message = f"{self._service.name} did not answer in time."
            raise ModelTimedOut(message, code="timeout", maybe_paid=True)
        return rounded(left)

    def _failure(self, error: Exception) -> BrokerError:
        found = self._service.failure(error)
        found.maybe_paid = found.maybe_paid or self.requests > 0
        return found


S3_ERRORS: dict[str, Row] = dict.fromkeys(("NoSuchKey", "NoSuchBucket"), (Unavailable, "has no such object"))
"""Where a service has said that it is there."""


def handed_back(s3: AwsService, call: Call, operation_id: Mapping[str, str]) -> bytes:
    """What a service wrote where `Media.hand` said (`bucket` and `output` of an operation id).

    Raises:
        BrokerError: it cannot be had; it has been paid for.
    """
    exchange = Exchange(s3, call)
    try:
        return exchange.read(
            exchange.ask("get_object", Bucket=operation_id["bucket"], Key=operation_id["output"]).get("Body")
        )
    except BrokerError as error:
        error.maybe_paid = True
        raise


def bad(message: str, code: str = "malformed_reply") -> NoReturn:
    """Refuse a reply that has been paid for."""
    raise BadOutput(message, code=code, maybe_paid=True)


def rows(value: Any, what: str) -> list[Json]:
    """A list of objects in a reply.

    Raises:
        BadOutput: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        bad(f"The service's reply has no {what}.")
    return value


def words(value: Any, what: str) -> list[str]:
    """A list of texts in a reply, which may leave it out.

    Raises:
        BadOutput: it is something else.
    """
    if not isinstance(value or [], list):
        bad(f"The service's reply has no {what}.")
    return [text(each, what) for each in value or []]


def text(value: Any, what: str) -> str:
    """A text in a reply.

    Raises:
        BadOutput: it is something else.
    """
    if not isinstance(value, str):
        bad(f"The service's reply has a {what} that is no text.")
    return value


LARGEST = 1e9
"""Of a score; what is beyond is no score, and may be a whole number that no float holds."""


def score(value: Any, whole: float = 1.0) -> float:
    """A confidence in a reply, of 0 to 1; `whole` is what the service gives for certainty.

    Raises:
        BadOutput: it is no number.
    """
    if type(value) not in (int, float) or not abs(value) < LARGEST:
        bad("The service's reply has a score that is no number.")
    return float(round(min(max(value / whole, 0.0), 1.0), 6))


def count(value: Any, what: str) -> int:
    """A whole number, not below 0, in a reply.

    Raises:
        BadOutput: it is something else.
    """
    if type(value) is not int or value < 0:
        bad(f"The service's reply has a {what} that is no whole number.")
    return value


def only_text(call: Call) -> str:
    """The request's one text.

    Raises:
        InvalidRequest: it has none, or nothing but space.
    """
    given = call.input.get("text")
    if not isinstance(given, str) or not given.strip():
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    return given


def features(call: Call, known: frozenset[str]) -> frozenset[str]:
    """What the request asks for beside the ordinary.

    Raises:
        Rejected: something that is not known.
    """
    asked = frozenset(call.input.get("features") or ())
    if strange := sorted(asked - known):
        message = f"{', '.join(strange)}: not among {', '.join(sorted(known))}."
        raise Rejected(message, code="unsupported_feature", param="input.features")
    return asked


def named(token: str) -> str:
    """A name for what a call starts: the same for the same token, and fit for every service (at most 39 letters)."""
    return f"broker-{hashlib.sha256(token.encode()).hexdigest()[:32] if token else uuid.uuid4().hex}"


def image(call: Call, largest: int) -> Json:
    """The request's picture or document: an object of S3 where the service can read it, else bytes.

    A service reads buckets of its own region only, so a model that is registered with a region gets bytes.

    Raises:
        InvalidRequest: it has none.
        Rejected: it has bytes above `largest`, or none in it.
    """
    reference = call.input.get("file")
    if not isinstance(reference, Mapping):
        raise InvalidRequest("The request has no file.", code="no_input", param="input.file")
    if reference.get("s3") and call.endpoint is None:
        bucket, key = call.media.place(reference)
        return {"S3Object": {"Bucket": bucket, "Name": key}}
    data = call.media.read(reference).data
    if not 0 < len(data) <= largest:
        message = f"The file has to have between 1 and {largest} bytes."
        raise Rejected(message, code="bad_size", param="input.file")
    return {"Bytes": data}


def primary(language: str) -> str:
    """`de` of `de-CH` (BCP 47)."""
    return re.split("[-_]", language, maxsplit=1)[0].lower()
