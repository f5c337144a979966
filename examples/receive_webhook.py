"""Receives a webhook and verifies it with the public package of Standard Webhooks (`pip install standardwebhooks`).

The embedded cloud can reach this machine; for a stack in an account, serve this at an https address of yours and
give it: `receive_webhook.py https://hooks.example.com/broker`.
"""

import json
import os
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["BROKER_WEBHOOK_SECRET"])  # the secret that operators stored for your tenant
seen: set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    """Answers soon, and does the work afterwards: a receiver that is slow is asked again."""

    def do_POST(self) -> None:
        """Take one webhook."""
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event = webhook.verify(body, headers)
        except WebhookVerificationError:
            self.send_error(401)  # not from the broker, or older than five minutes
            return
        self.send_response(204)
        self.end_headers()
        if headers["webhook-id"] not in seen:  # one may come twice, then with the same id
            seen.add(headers["webhook-id"])
            print(f"verified {event['type']}: the answer is at {event['data']['url']}")
            threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


server = HTTPServer(("127.0.0.1", 0), Receiver)
url = sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{server.server_address[1]}/"
job = {
    "input": "Summarize: The lamp needed nobody. The keeper slept.",
    "webhook": {"url": url, "events": ["job.succeeded", "job.failed", "job.blocked"]},
}
key = {"Authorization": f"Bearer {os.environ['BROKER_API_KEY']}", "Content-Type": "application/json"}
request = urllib.request.Request(f"{os.environ['BROKER_URL']}/jobs", json.dumps(job).encode(), key)  # noqa: S310
with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - the base URL is yours
    print(f"submitted {json.load(reply)['id']}")
server.serve_forever()
