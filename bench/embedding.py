"""The process that `bench.embeddings` measures: what the function imports, one call, and its answer kept.

It says how long the call and the rest took in CPU time, and waits.
"""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from broker import bootstrap
from broker.cloud import clients, database
from broker.cloud.clients import client
from broker.cloud.payloads import PayloadStore
from broker.providers import lookup
from broker.providers.wire.base import Answer, Call
from handlers import invoke_model

LOADED = (bootstrap, clients, database, invoke_model)

WORDS = "The keeper of the lamp wrote in his book that nobody had come by, as on all days before, and slept. " * 4


@dataclass(frozen=True)
class Job:
    """Whose answer it is."""

    id: str = "job_1"
    payloads_until: int = 4_000_000_000
    expires_at: int = 4_000_000_000


class NoTable:
    """Of a table, what keeping an answer asks for."""

    def write(self, *operations: Any) -> None:
        """Take it."""

    def put_item(self, **request: Any) -> None:
        """Take it."""


if __name__ == "__main__":
    url, provider, model, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    endpoint = None if provider == "bedrock" else url
    call = Call("embed", model, {"text": [WORDS] * (count or 1)}, {}, 600, "key", endpoint)
    table: Any = NoTable()
    store = PayloadStore(table, "jobs", "payloads", lambda: client("s3"), lambda: table)
    began = time.process_time()
    answer = lookup(provider).invoke(call)
    came = time.process_time()
    saved = store.save(Job(), "OUTPUT#1.1", answer.output) if count and isinstance(answer, Answer) else None
    done = time.process_time()
    print(json.dumps([came - began, done - came, saved is not None and saved.linked, len(LOADED)]), flush=True)
    sys.stdin.read()
