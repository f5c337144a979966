"""A small client of the REST API, for the demo and the tests."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One reply; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Client:
    """Calls the API with one credential (None for none)."""

    base_url: str
    key: str | None
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, maxsize=32))

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> HttpReply:
        """Call a route, such as `/jobs`; bytes go as they are, anything else as JSON."""
        sent = {"accept-encoding": "gzip"} | ({"authorization": f"Bearer {self.key}"} if self.key else {})
        if body is not None:
            sent["content-type"] = "application/json"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        reply = self.pool.request(
            method, f"{self.base_url}{path}", body=data, headers=sent | (headers or {}), timeout=60
        )
        text = reply.data.decode()
        return HttpReply(
            reply.status,
            {name.lower(): value for name, value in reply.headers.items()},
            json.loads(text) if text else None,
        )

    def submit(self, body: dict[str, Any], **headers: str) -> HttpReply:
        """`POST /jobs`; header names with underscores."""
        return self.call("POST", "/jobs", body, {name.replace("_", "-"): value for name, value in headers.items()})

    def finished(self, job_id: str, waits: int = 6) -> dict[str, Any]:
        """Long-poll until the job has ended, at most so many times 20 seconds; gives it as it is then, in full."""
        until = time.monotonic() + 20 * waits
        while True:
            job: dict[str, Any] = self.call("GET", f"/jobs/{job_id}?wait=20&include=route").body
            if job.get("ended_at") or time.monotonic() > until:
                return job
            time.sleep(0.5)  # where as many wait as may, it is answered at once
