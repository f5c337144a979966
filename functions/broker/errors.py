"""The errors of the broker, as one tree. What follows from each is told by one table, `consequences`.

    BrokerError                 also: our own code failed in a way that nobody foresaw
    ├── InvalidRequest          the request can never work; repeating it elsewhere would only repeat the error
    │   ├── TooLarge            the body is above the limit
    │   ├── NotFound            no such thing, or it belongs to another tenant
    │   ├── Gone                it was here, and was erased or kept no longer than it asked for
    │   ├── KeyReused           an Idempotency-Key came back with another body
    │   ├── KeyInFlight         an Idempotency-Key whose first request is still being accepted
    │   ├── NotCancelable       the job has already ended
    │   ├── DeliveryBusy        an attempt at the webhook is under way
    │   ├── TooManyAtOnce       the tenant has as many of these under way as it may have
    │   ├── Forbidden           the caller lacks the scope, or the tenant may not use the model
    │   │   └── PermissionDenied  a permission that the operators registered keeps the caller from it
    │   └── BudgetExceeded      the tenant's budget, or the job's own limit, does not cover the worst case
    ├── RateLimited             the tenant, or its API key, has had what it may have in a window of time
    ├── Rejected                this provider does not take this request; another may
    ├── Refused                 a safety stop of a provider; never tried on another model
    ├── ContextExceeded         the prompt is longer than the model's window
    ├── Truncated               the limit on the answer's tokens was reached before anything was said
    ├── Throttled               the provider asked for less; carries `retry_after`
    ├── Unavailable             the provider, or a store of ours, failed or was unreachable
    │   ├── CircuitOpen         the model fails so often that it is left alone; nothing was sent, and its job waits
    │   └── ModelTimedOut       the model did not answer within its own limit
    ├── CutShort                the call was ended so that the next candidate has time left
    ├── TimedOut                the job's own time budget is spent
    ├── ModelGone               the provider does not have the model (any more), or does not let us use it
    ├── PolicyMissing           a guardrail policy that is to hold is not there: nothing goes on without it
    ├── CredentialRejected      the provider did not accept our key
    ├── AdapterFailed           our own code could not make the call, or not read its reply
    ├── BadOutput               the provider answered, but not with what was asked for
    ├── Pending                 the provider goes on by itself; ask again after `retry_after`
    └── Conflict                another run owns the job, or it has ended: stop in silence

Messages are ours alone: a provider's text may quote the prompt, so it never becomes a message. What a job keeps of an
error is bounded: a head is one small item, and Step Functions takes no cause above 32,768 characters.
"""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from broker.cached_input import NOT_CACHED, CachedInput

LONGEST_MESSAGE, LONGEST_NAME = 600, 200
"""Characters; of a longer message the end is kept: it counts what was left out or says what came last. A name is a code
or a field's path."""


class BrokerError(Exception):
    """Root of the tree: a stable `type`, a machine-readable `code`, a message for people, and an HTTP status."""

    type: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        maybe_paid: bool = False,
        tokens: tuple[int, int] | None = None,
        cached: CachedInput = NOT_CACHED,
        beside: dict[str, Any] | None = None,
    ) -> None:
        """Keep the facts.

        Args:
            message: for people, free of payloads.
            code: for programs; the error's type when left out.
            param: the field at fault, dotted (`input.messages.0.role`).
            retry_after: seconds to wait before a repeat makes sense.
            maybe_paid: a provider may have done the work and charge for it, though no answer came of it.
            tokens: in and out, where its reply told what it charges for.
            cached: of those in, what its prompt cache had to do with.
            beside: what else its public form says, by name.
        """
        message = shortened(_whole(message), LONGEST_MESSAGE)
        super().__init__(message)
        self.message = message
        self.code = (code or self.type)[:LONGEST_NAME]
        self.param = _whole(param)[:LONGEST_NAME] if param else param
        self.retry_after = retry_after
        self.maybe_paid = maybe_paid
        self.tokens = tokens
        self.cached = cached
        self.beside = beside or {}
        self.again = False
        """True where the same model is to be asked at once: by another of its keys."""

    def facts(self) -> dict[str, str]:
        """The form kept on a job: `{"type", "code", "message"}`, and `param` where a field is at fault."""
        field = {"param": self.param} if self.param else {}
        return {"type": self.type, "code": self.code, "message": self.message, **field}

    def failure(self) -> dict[str, Any]:
        """The form that a step tells the workflow: `{"error": its class, "facts", "retry_after"?}` (seconds)."""
        later = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return {"error": type(self).__name__, "facts": self.facts(), **later}

    def cause(self) -> str:
        """`failure` as JSON: what a step's exception says where the workflow has to repeat it."""
        return json.dumps(self.failure())


def _whole(text: str) -> str:
    """A text that can be written down: a name that a client sent may have half of a surrogate pair in it."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, without its middle where it was longer."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 3]} … {text[-tail:]}"


class InvalidRequest(BrokerError):
    """The request can never work as it is."""

    type = "invalid_request"
    status = 400


class TooLarge(InvalidRequest):
    """The body has more bytes than are taken (RFC 9110, section 15.5.14)."""

    status = 413


class NotFound(InvalidRequest):
    """No such thing for this tenant."""

    type = "not_found"
    status = 404


class Gone(InvalidRequest):
    """What was here is not kept any more, and will not come back."""

    type = "gone"
    status = 410


class KeyReused(InvalidRequest):
    """The same Idempotency-Key with another body (draft-ietf-httpapi-idempotency-key-header, section 2.7)."""

    type = "idempotency_key_reused"
    status = 422


class KeyInFlight(InvalidRequest):
    """The first request with this Idempotency-Key is still being accepted (same draft, section 2.7)."""

    type = "idempotency_key_in_flight"
    status = 409


class NotCancelable(InvalidRequest):
    """The job has already ended."""

    type = "not_cancelable"
    status = 409


class DeliveryBusy(InvalidRequest):
    """An attempt at the webhook is under way."""

    type = "delivery_busy"
    status = 409


class TooManyAtOnce(InvalidRequest):
    """The tenant has as many of something under way as it may have; it may come again when some have ended."""

    type = "too_many_at_once"
    status = 429


class Forbidden(InvalidRequest):
    """Known, but not allowed to do this."""

    type = "forbidden"
    status = 403


class PermissionDenied(Forbidden):
    """A registered permission keeps the caller from it; beside is which, and how to ask."""


class BudgetExceeded(InvalidRequest):
    """The budget does not cover the worst case of this work; beside is how it stands, where it is the tenant's."""

    type = "budget_exceeded"
    status = 402


class RateLimited(BrokerError):
    """A limit of the tenant or of its API key does not allow it now; beside is which, and when it will."""

    type = "rate_limit_exceeded"
    status = 429


class Rejected(BrokerError):
    """This provider does not take this request; `param` and `code` say why, where the provider did."""

    type = "rejected"
    status = 422


class Refused(BrokerError):
    """A provider's safety stop."""

    type = "refused"
    status = 422


class ContextExceeded(BrokerError):
    """The prompt does not fit the model's context window."""

    type = "context_exceeded"
    status = 422


class Truncated(BrokerError):
    """The model reached the limit on its answer's tokens before it said anything: a larger limit helps, no repeat."""

    type = "truncated"
    status = 422


class Throttled(BrokerError):
    """The provider asks for a pause; `retry_after` says how long, where it said so."""

    type = "throttled"
    status = 429


class Unavailable(BrokerError):
    """A 5xx, or no connection: the call may or may not have been paid for."""

    type = "unavailable"
    status = 503


class CircuitOpen(Unavailable):
    """The model failed so often of late that it is left alone until its cooling time is over; nothing was sent."""


class ModelTimedOut(Unavailable):
    """The model did not answer within the limit that the operators set for it."""


class Pending(BrokerError):
    """The provider goes on by itself; the same step, after `retry_after` seconds, asks what became of it."""

    type = "pending"
    status = 503


class CredentialRejected(BrokerError):
    """The provider does not accept our key, or the account behind it: an operator has to look."""

    type = "credential_rejected"
    status = 502


class ModelGone(BrokerError):
    """The provider has no such model (any more), or does not let our account use it: an operator has to look."""

    type = "model_gone"
    status = 502


class PolicyMissing(BrokerError):
    """A guardrail policy that is to hold is not registered, or was disabled: an operator has to look."""

    type = "policy_missing"
    status = 503


class AdapterFailed(BrokerError):
    """Our own code could not make the call, or not read its reply: a fault of the broker's."""

    type = "adapter_failed"
    status = 500


class TimedOut(BrokerError):
    """The job's `timeout_seconds` are over: no other model could answer in time either."""

    type = "timed_out"
    status = 504


class CutShort(BrokerError):
    """A call's share of the job's time is over, and other candidates wait for theirs; the model's limit was not."""

    type = "cut_short"
    status = 504


class BadOutput(BrokerError):
    """The provider's answer is not what was asked for: broken, empty, or outside the schema."""

    type = "bad_output"
    status = 502


class Conflict(BrokerError):
    """A stale run, or a job that has ended: whoever holds it now goes on."""

    type = "conflict"
    status = 409


def tree(root: type[BrokerError] = BrokerError) -> Iterator[type[BrokerError]]:
    """A class and all below it."""
    yield root
    for each in root.__subclasses__():
        yield from tree(each)
