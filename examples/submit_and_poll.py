"""Submits a job and polls until it has ended, with nothing but the standard library."""

import json
import os
import sys
import time
import urllib.request
from typing import Any

BASE_URL, KEY = os.environ["BROKER_URL"], os.environ["BROKER_API_KEY"]


def call(url: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    """One call of the API; an error of it raises `urllib.error.HTTPError`, whose body says what was wrong."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, sent)  # noqa: S310 - the base URL is yours
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        answer: dict[str, Any] = json.load(reply)
    return answer


job = call(
    f"{BASE_URL}/jobs",
    {
        "task": "chat",
        "input": {"messages": [{"role": "user", "content": "Summarize: The lamp needed nobody. The keeper slept."}]},
        "metadata": {"order": "17"},
    },
    **{"Idempotency-Key": f"order-17-{os.getpid()}"},  # a repeat, after a timeout say, gives the same job
)
print(f"{job['id']} is {job['status']}")

while job["ended_at"] is None:
    job = call(f"{job['urls']['get']}?wait=20")  # a long poll: it answers when the job ends, or after 20 seconds
    if job["ended_at"] is None:
        time.sleep(1)  # or sooner, where many of your calls wait

print(f"{job['id']} {job['status']} by {job['model']} for {job['usage']['cost_usd']} $")
if job["status"] != "succeeded":
    sys.exit(f"{job['error']['code']}: {job['error']['message']}")
print(job["output"]["text"])
