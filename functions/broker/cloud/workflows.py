"""The two sizes of the inference workflow in Step Functions; the adapter of `jobs.dispatching.Workflows`."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from broker.jobs.head import Head


class StateMachines:
    """Starts executions; the name carries the run, so a repeated Standard start is one execution."""

    def __init__(self, client: Any, arns: Mapping[str, str]) -> None:
        """`arns` by size."""
        self._client = client
        self._arns = arns

    def start(self, head: Head, size: Literal["express", "standard"]) -> None:
        """See `Workflows.start`."""
        self._client.start_execution(
            stateMachineArn=self._arns[size],
            name=f"{head.id}-{head.run}",
            input=json.dumps(
                {"job_id": head.id, "tenant": head.tenant, "run": head.run, "expires_at": head.expires_at}
            ),
        )
