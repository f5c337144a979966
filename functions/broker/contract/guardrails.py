"""The reply of `POST /v1/guardrails/check`."""

from typing import Any

from broker.contract.common import Shown
from broker.contract.replies import Finding


class TrialOutcome(Shown):
    """What a job with this text would meet."""

    blocked: bool
    """True where the job, or its answer, would be."""
    held: bool
    """True where somebody would have to look at it first."""
    rules: list[str]
    """The checks that block, or that would hold it."""
    findings: list[Finding]
    redacted: dict[str, Any] | None
    """The input as the model would get it (of an answer, what the client would); null where nothing is changed, and
    where it is blocked. Hashes are those of this call alone."""
    not_asked: list[str]
    """The engines that a job would be judged by as well; here none is asked, for their calls cost something."""
