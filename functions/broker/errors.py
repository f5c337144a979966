"""The errors of the broker, as one tree.

    BrokerError
    ├── InvalidRequest          the request can never work; repeating it elsewhere would only repeat the error
    │   ├── TooLarge            the body is above the limit
    │   ├── NotFound            no such thing, or it belongs to another tenant
    │   ├── KeyReused           an Idempotency-Key came back with another body
    │   ├── KeyInFlight         an Idempotency-Key whose first request is still being accepted
    │   ├── NotCancelable       the job has already ended
    │   ├── DeliveryBusy        an attempt at the webhook is under way
    │   ├── Forbidden           the caller lacks the scope, or the tenant may not use the model
    │   └── BudgetExceeded      the tenant's budget, or the job's own limit, does not cover the worst case
    ├── Refused                 a safety stop of a provider; never tried on another model
    ├── ContextExceeded         the prompt is longer than the model's window
    ├── Throttled               the provider asked for less; carries `retry_after`
    ├── Unavailable             the provider, or a store of ours, failed, hung or was unreachable
    │   └── CircuitOpen         the model fails so often that it is left alone for a while; nothing was sent, so a job
    │                           that meets nothing else waits
    ├── Pending                 the provider goes on by itself; ask again after `retry_after`
    ├── CredentialRejected      the provider did not accept our key
    ├── TimedOut                the job's own time budget is spent
    ├── BadOutput               the provider answered, but not with what was asked for
    └── Conflict                another run owns the job, or it has ended: stop in silence

The class names are the error names of the workflow (`ErrorEquals`); a contract test holds the two together.
Messages are ours alone: a provider's text may quote the prompt, so it never becomes a message.
"""

import json
from typing import ClassVar


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
    ) -> None:
        """Keep the facts.

        Args:
            message: for people, free of payloads.
            code: for programs; the error's type when left out.
            param: the field at fault, dotted (`input.messages.0.role`).
            retry_after: seconds to wait before a repeat makes sense.
            maybe_paid: a provider may have done the work and charge for it, though no answer came of it.
        """
        super().__init__(message)
        self.message = message
        self.code = code or self.type
        self.param = param
        self.retry_after = retry_after
        self.maybe_paid = maybe_paid

    def facts(self) -> dict[str, str]:
        """The form kept on a job: `{"type", "code", "message"}`."""
        return {"type": self.type, "code": self.code, "message": self.message}

    def cause(self) -> str:
        """The form that crosses the workflow, as JSON: `facts` and, where known, `retry_after` in seconds."""
        extra = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return json.dumps({**self.facts(), **extra})


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


class Forbidden(InvalidRequest):
    """Known, but not allowed to do this."""

    type = "forbidden"
    status = 403


class BudgetExceeded(InvalidRequest):
    """The budget does not cover the worst case of this work."""

    type = "budget_exceeded"
    status = 402


class Refused(BrokerError):
    """A provider's safety stop."""

    type = "refused"
    status = 422


class ContextExceeded(BrokerError):
    """The prompt does not fit the model's context window."""

    type = "context_exceeded"
    status = 422


class Throttled(BrokerError):
    """The provider asks for a pause; `retry_after` says how long, where it said so."""

    type = "throttled"
    status = 429


class Unavailable(BrokerError):
    """A 5xx, a timeout, or no connection: the call may or may not have been paid for."""

    type = "unavailable"
    status = 503


class CircuitOpen(Unavailable):
    """The model failed so often of late that it is left alone until its cooling time is over; nothing was sent."""


class Pending(BrokerError):
    """The provider goes on by itself; the same step, after `retry_after` seconds, asks what became of it."""

    type = "pending"
    status = 503


class CredentialRejected(BrokerError):
    """The provider answered 401 or 403: an operator has to look at the key."""

    type = "credential_rejected"
    status = 502


class TimedOut(BrokerError):
    """The job's `timeout_seconds` are over: no other model could answer in time either."""

    type = "timed_out"
    status = 504


class BadOutput(BrokerError):
    """The provider's answer is not what was asked for: broken, empty, or outside the schema."""

    type = "bad_output"
    status = 502


class Conflict(BrokerError):
    """A stale run, or a job that has ended: whoever holds it now goes on."""

    type = "conflict"
    status = 409
