"""The two sizes of the inference workflow in Step Functions; the adapter of `jobs.dispatching.Workflows`."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from broker.jobs.head import Head

MOST_INPUT_BYTES = 262_144
"""Of an execution (Step Functions developer guide, "Service quotas": maximum input or output size)."""


def facts_of(head: Head, stored: Head) -> dict[str, Any]:
    """What travels through a run's workflow, so that its steps need not read it (`steps.context.Run`); as `start`."""
    until = min((head.claimed_at or head.created_at) + head.timeout_s * 1000, head.deadline_at)
    facts = {
        "job_id": head.id,
        "tenant": head.tenant,
        "run": head.run,
        "payloads_until": head.payloads_until,
        "expires_at": head.expires_at,
        "until": until,
        "claimed_at": head.claimed_at,
        "claimed_by": head.claimed_by,
        "head": stored.to_item(),
    }
    if head.policies:
        facts["policies"] = list(head.policies)
    if released := head.review.get("released"):
        facts["released"] = released
    return facts | ({"held": head.limit - head.spent - head.reserved} if head.limit else {})


def can_start(head: Head) -> bool:
    """False where the head has grown to more than an execution takes: no start of the job would ever work."""
    return len(json.dumps(facts_of(head, head))) <= MOST_INPUT_BYTES


class StateMachines:
    """Starts executions; the name carries the revision, so a repeated Standard start is one execution."""

    def __init__(self, client: Any, arns: Mapping[str, str]) -> None:
        """`arns` by size."""
        self._client = client
        self._arns = arns

    def start(self, head: Head, stored: Head, size: Literal["express", "standard"]) -> None:
        """See `Workflows.start`."""
        with suppress(self._client.exceptions.ExecutionAlreadyExists):
            self._client.start_execution(
                stateMachineArn=self._arns[size],
                name=f"{head.id}-{stored.rev}",
                input=json.dumps(facts_of(head, stored)),
            )
