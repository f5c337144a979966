"""The workflows in Step Functions: the two sizes of inference (`jobs.dispatching.Workflows`), and that of batches."""

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


OVER = ("TaskDoesNotExist", "TaskTimedOut", "InvalidToken")
"""What Step Functions says of a token by which nobody waits (API reference, SendTaskSuccess)."""


class BatchMachine:
    """The workflow of batches; the adapter of `batches.ports.BatchWorkflows`."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def start(self, batch_id: str, attempt: int = 0) -> None:
        """See `BatchWorkflows.start`: its name makes an attempt one execution, for ninety days after it has ended."""
        with suppress(self._client.exceptions.ExecutionAlreadyExists):
            self._client.start_execution(
                stateMachineArn=self._arn, name=f"{batch_id}-{attempt}", input=json.dumps({"batch_id": batch_id})
            )

    def go_on(self, token: str) -> bool:
        """See `BatchWorkflows.go_on`."""
        try:
            self._client.send_task_success(taskToken=token, output="{}")
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in OVER:
                raise
            return False
        return True
