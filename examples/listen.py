"""Submits a job and hears of its changes over a WebSocket, instead of polling for them."""

import json
import os
import sys
import urllib.request
from typing import Any

from websockets.sync.client import connect

BASE_URL, PUSH_URL, KEY = os.environ["BROKER_URL"], os.environ["BROKER_PUSH_URL"], os.environ["BROKER_API_KEY"]
IDENTITY = {"Authorization": f"Bearer {KEY}"}


def submit(text: str) -> dict[str, Any]:
    """Submit a job."""
    body = json.dumps({"input": text}).encode()
    headers = {**IDENTITY, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{BASE_URL}/jobs", body, headers)  # noqa: S310 - the base URL is yours
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        job: dict[str, Any] = json.load(reply)
    return job


with connect(PUSH_URL, additional_headers=IDENTITY) as socket:
    job = submit("Summarize: The lamp needed nobody. The keeper slept.")
    socket.send(json.dumps({"action": "subscribe", "job": job["id"]}))
    seen = 0
    while True:
        message = json.loads(socket.recv(timeout=60))
        if message["type"] == "error":
            sys.exit(f"{message['error']['code']}: {message['error']['message']}")
        # First the job as it stands, then each change; what comes late or twice has a number that was seen.
        changes = [message["state"]] if message["type"] == "subscribed" else message["changes"]
        for change in changes:
            if change["sequence"] > seen:
                seen = change["sequence"]
                print(f"{change['job_id']} is {change['status']}")
        if changes[-1]["status"] not in ("queued", "running"):
            break

print(f"its answer is at {changes[-1]['url']}")
