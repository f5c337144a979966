"""What a provider is to the broker: one call in, one answer out, and errors of the tree."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """One call to one model.

    `input` and `parameters` are those of the job's request (`docs/contract.md`); `timeout` is in seconds and covers
    the whole call; `secret` is the provider's key, or None where the platform signs requests (Bedrock).
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
    """True when the last answer of this model missed `output_schema`: ask for a corrected one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `output` as the job will show it, token counts, and why the model stopped.

    `finish_reason` is `stop`, `length` or `tool_calls`; a safety stop is never an answer but `Refused`.
    """

    output: dict[str, Any]
    input_tokens: int
    output_tokens: int
    finish_reason: str = "stop"
    facts: dict[str, str] = field(default_factory=dict)
    """Small facts for the attempt's record, such as the provider's own request id."""


class Provider(Protocol):
    """A provider's wire format. `invoke` may be repeated; each repeat may be paid for again."""

    tasks: frozenset[str]

    def invoke(self, call: Call) -> Answer:
        """Make the call.

        Raises:
            InvalidRequest, Refused, ContextExceeded, Throttled, Unavailable, CredentialRejected, BadOutput.
        """
        ...
