"""Batches as the tests use them: through the REST door, with results as files."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from broker.batches.batch import Batch
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.tenants.ledger import period_of, standing

from local.client import Client
from tests.e2e.stack import Stack, until

ENDED = {"completed", "failed", "expired", "cancelled"}


class BatchesOf:
    """The batches of one tenant of its own, which has a budget."""

    def __init__(self, stack: Stack, tenant: str) -> None:
        stack.register({"tenants": [{"id": tenant, "monthly_budget_usd": 1000}]})
        self.stack, self.tenant = stack, tenant
        self.api: Client = stack.as_tenant(tenant)

    def put(self, rows: bytes, name: str = "rows.jsonl") -> str:
        """An object of rows in the inbox, where it is no work by itself; gives its address."""
        bucket, key = self.stack.outputs["InboxBucket"], f"{self.tenant}/media/{uuid.uuid4().hex}/{name}"
        self.stack.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=rows)
        return f"s3://{bucket}/{key}"

    def submit(self, **body: Any) -> str:
        """Take a batch; gives its id."""
        answer = self.api.call("POST", "/batches", body)
        assert answer.status == 202, answer.body
        return str(answer.body["id"])

    def shown(self, batch_id: str) -> dict[str, Any]:
        """The batch as it is shown."""
        found: dict[str, Any] = self.api.call("GET", f"/batches/{batch_id}").body
        return found

    def record(self, batch_id: str) -> Batch:
        """The batch as it is kept."""
        return Batches(self.stack.database).get(batch_id)

    def ended(self, batch_id: str, seconds: float = 120) -> dict[str, Any]:
        """The batch once it has ended."""
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            nonlocal found
            found = self.shown(batch_id)
            return found["status"] in ENDED

        until(has_ended, seconds)
        assert found["status"] in ENDED, found
        return found

    def lines(self, batch_id: str, kind: str = "output") -> list[dict[str, Any]]:
        """The lines of a file of its results; none where there is no file of the kind."""
        answer = self.api.call("GET", f"/batches/{batch_id}/results?kind={kind}")
        if answer.status == 404:
            return []
        assert answer.status == 307, answer.body
        reply = urllib3.request("GET", answer.headers["location"])
        assert reply.status == 200, reply.data
        return [json.loads(line) for line in reply.data.splitlines()]

    def spent(self) -> int:
        """Nano-dollars that the ledger has of the tenant."""
        return standing(self.stack.database, self.tenant, period_of(now_ms())).spent

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Have the sweep run again and again meanwhile, as the minutes do."""
        yield
