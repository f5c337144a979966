"""Functions that are asked for something which nobody waits for."""

import json
from typing import Any


class InvokeModelFunction:
    """The one function that may ask providers; the adapter of `delivery.publishing.Publish.leave_undone`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def leave_undone(self, job_id: str) -> None:
        """Have it stop what providers go on with for a job that has ended; Lambda keeps the request for some hours."""
        payload = json.dumps({"leave_undone": job_id}).encode()
        self._client.invoke(FunctionName=self._name, InvocationType="Event", Payload=payload)
