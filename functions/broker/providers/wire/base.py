"""What a provider is to the broker: one call in, one answer out, and errors of the tree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from broker.cached_input import NOT_CACHED, CachedInput


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes and what they are (`image/png`)."""

    data: bytes
    media_type: str
    mark: str = ""
    """For how long a prompt up to here is to be kept (`wire.marks`); empty for no mark."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An object, as it lies."""

    bytes: int
    region: str


class MediaReader(Protocol):
    """The pictures, documents and sounds that a request names (`jobs.fields.Media`, as stored)."""

    def read(self, reference: Mapping[str, str]) -> Blob:
        """The bytes.

        Raises:
            InvalidRequest: the object is gone, too large, or not the tenant's own.
        """
        ...

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """Bucket and key of it, for services that read S3 themselves; bytes of a request are put there first."""
        ...

    def measure(self, reference: Mapping[str, str]) -> "Measured":
        """How large it is and where it lies, without reading it; of bytes of a request, once they are placed.

        Raises:
            InvalidRequest: the object is gone, or not the tenant's own.
        """
        ...

    def pin(self, reference: Mapping[str, str]) -> None:
        """Let all who read an object from now on get its bytes as they are now, whoever writes it anew.

        Raises:
            InvalidRequest: as `read`.
        """
        ...

    def hand(self, name: str, data: bytes | None = None) -> tuple[str, str]:
        """Bucket and key of what is handed to a service; without data, of what the service will write there.

        Keys of names in one folder lie in one folder. The objects go with the job.
        """
        ...


class NoMedia:
    """For calls without any."""

    def read(self, reference: Mapping[str, str]) -> Blob:
        """See `MediaReader.read`."""
        raise LookupError("the call has no media")

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """See `MediaReader.place`."""
        raise LookupError("the call has no media")

    def measure(self, reference: Mapping[str, str]) -> Measured:
        """See `MediaReader.measure`."""
        raise LookupError("the call has no media")

    def pin(self, reference: Mapping[str, str]) -> None:
        """See `MediaReader.pin`."""
        raise LookupError("the call has no media")

    def hand(self, name: str, data: bytes | None = None) -> tuple[str, str]:
        """See `MediaReader.hand`."""
        raise LookupError("the call has no media")


@dataclass(frozen=True, slots=True)
class Call:
    """One call to one model.

    `input` and `parameters` are those of the job's request (`docs/contract.md`); `timeout` is in seconds and covers
    the whole call; `secret` is the provider's key, or None where the platform signs requests (AWS).
    """

    task: str
    model: str
    """The provider's own name of the model."""
    input: dict[str, Any]
    parameters: dict[str, Any]
    timeout: float
    secret: str | None = None
    endpoint: str | None = None
    """Base URL, or the region for AWS services; None for the provider's default."""
    output_schema: dict[str, Any] | None = None
    repair: bool = False
    """True when the last answer of this model was not what was asked for: ask for a corrected one."""
    fault: str = ""
    """What was wrong with it, in the broker's words."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the operators registered with the model for its provider alone: a guardrail's id, an API version, …"""
    media: MediaReader = field(default_factory=NoMedia)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the service's own that the request sends on purpose (`wire.own_fields`)."""
    cache_key: str = ""
    """What requests have in common that a provider's prompt cache should see together; of one tenant alone."""
    cache_ttl: str = ""
    """For how long the whole prompt is to be kept there (`jobs.prompt_caching.PromptCache`); empty for no wish."""
    scope: str = ""
    """Whose call it is: what a service keeps between calls (a bot's session) never meets that of another scope."""
    token: str = ""
    """Names this call, and is the same when it is repeated: for services that start a job once for each name. What is
    before its first dash is the job's id."""

    @property
    def caller(self) -> dict[str, str]:
        """Who the call is for, opaque to the provider: `tenant` (the same for all of a tenant's calls) and `job`.

        Empty where nobody is named. A provider that sees abuse, or is asked what it has, can tell tenants apart.
        """
        if not self.scope:
            return {}
        tenant = sha256(f"tenant {self.scope}".encode()).hexdigest()[:32]
        return {"tenant": tenant} | ({"job": self.token.partition("-")[0]} if self.token else {})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `output` as the job will show it, token counts, and why the model stopped.

    `finish_reason` is `stop`, `length` or `tool_calls`; a safety stop is never an answer but `Refused`.
    """

    output: dict[str, Any]
    input_tokens: int = 0
    output_tokens: int = 0
    finish_reason: str = "stop"
    facts: dict[str, str] = field(default_factory=dict)
    """Small facts for the attempt's record, such as the provider's own request id."""
    cached: CachedInput = NOT_CACHED
    """Of `input_tokens`, those that the provider's prompt cache had to do with."""
    units: Mapping[str, int] = field(default_factory=dict)
    """What is paid for beside tokens (`registry.model_entry.Unit`): `images`, `pages`, `characters`, `seconds`,
    `requests`; `forms`, `tables` for pages that were searched for them, which count as pages too; `text_units`,
    thousands of characters of each request, and `content_units` and its kin, the same for each policy by itself."""
    reasoning_tokens: int = 0
    """Of the output's, those that were thought; they are counted and priced there."""
    files: tuple[Blob, ...] = ()
    """Pictures and sounds that were made; the job's `output.files` tells where they are, in this order."""


@dataclass(frozen=True, slots=True)
class OperationStarted:
    """Work that the provider does by itself; `operation_id` finds it again, to be polled once the time has passed."""

    operation_id: dict[str, str]
    check_after_s: int = 5


class Provider(Protocol):
    """A provider's wire format. `invoke` may be repeated; each repeat may be paid for again."""

    tasks: frozenset[str]

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """Make the call; only providers with a `check` give `OperationStarted`.

        Raises:
            InvalidRequest: no model could do what is asked.
            Rejected, Refused, ContextExceeded, Truncated, Throttled, Unavailable, ModelTimedOut, ModelGone,
            CredentialRejected, BadOutput: by what came back (`wire.failures`); `maybe_paid` where the work may have
            been done, and `tokens` where the reply told what it charges for.
        """
        ...


class Asynchronous(Provider, Protocol):
    """A provider whose work may go on without a connection."""

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """Ask after work that was started; `OperationStarted` again while it goes on.

        Raises:
            The same as `Provider.invoke`.
        """
        ...


class Stoppable(Asynchronous, Protocol):
    """A provider whose work can be stopped."""

    def stop(self, call: Call, operation_id: Mapping[str, str]) -> None:
        """Stop work that nobody waits for any more; what was done until then may be paid for. May be repeated.

        Args:
            call: where and with whose rights; it has no input.
            operation_id: of the work.

        Raises:
            The same as `Provider.invoke`.
        """
        ...
