"""CPU time of one call to AWS: by botocore's client, and by the short way that the functions take."""

import json
import time
import zlib
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from botocore.config import Config
from botocore.session import get_session
from broker.cloud.access import Access
from broker.cloud.attributes import encode_item
from broker.cloud.lean import LeanClient
from broker.cloud.operations import SERVICES

from bench.tables import Cell, keep, show, table
from local.servers import REGION

ROUNDS, CALLS = 9, 200

TOKEN = "t" * 400
"""About as long as the session token of a function's role."""

HEAD = {"pk": "JOB#1", "sk": "HEAD"} | {f"name{n}": "value" * 4 if n % 2 else 10**12 + n for n in range(25)}
"""An item with as many attributes as the head of a job has."""

KEY = {"pk": {"S": "JOB#1"}, "sk": {"S": "HEAD"}}
SPENT: dict[str, Any] = {
    "TableName": "ledger",
    "Key": KEY,
    "UpdateExpression": "ADD #n0 :v0",
    "ExpressionAttributeNames": {"#n0": "spent"},
    "ExpressionAttributeValues": {":v0": {"N": "1"}},
}
CALLED: dict[str, dict[str, Any]] = {
    "get_item": {"TableName": "jobs", "Key": KEY, "ConsistentRead": True},
    "put_item": {"TableName": "jobs", "Item": encode_item(HEAD), "ConditionExpression": "attribute_exists(pk)"},
    "transact_write_items": {
        "TransactItems": [{"Put": {"TableName": "jobs", "Item": encode_item(HEAD)}}, {"Update": SPENT}]
    },
}


def _serve(told: Connection) -> None:
    """Answer every `GetItem` with the head and all else with nothing, with the headers of DynamoDB."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            item = self.headers["x-amz-target"].endswith("GetItem")
            body = json.dumps({"Item": encode_item(HEAD)} if item else {}).encode()
            self.send_response(200)
            told = {"Content-Type": "application/x-amz-json-1.0", "Connection": "keep-alive"}
            told |= {"x-amzn-RequestId": "A" * 52, "x-amz-crc32": str(zlib.crc32(body))}
            for name, value in (told | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.send(server.server_port)
    server.serve_forever()


def run() -> None:
    """Call a server of our own on the loopback interface, both ways in turn, and print."""
    context = get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        _measure(f"http://127.0.0.1:{here.recv()}")
    finally:
        server.terminate()
        server.join()


def _measure(url: str) -> None:
    config = Config(parameter_validation=False, user_agent="bench", retries={"mode": "standard"})
    keys: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "aws_session_token": TOKEN}
    made = get_session().create_client("dynamodb", REGION, endpoint_url=url, config=config, **keys)
    access = Access(url, REGION, "x", "x", TOKEN, "")
    lean = LeanClient(SERVICES["dynamodb"], access, lambda: made, user_agent="bench", connect_s=3, read_s=10)
    rows: list[list[Cell]] = []
    for name, request in CALLED.items():
        ways = [partial(getattr(client, name), **request) for client in (made, lean)]
        best = [float("inf")] * len(ways)
        for _ in range(ROUNDS):
            best = [min(known, _time(way)) for known, way in zip(best, ways, strict=True)]
        rows.append([name, *(seconds / CALLS * 1e6 for seconds in best), 100 * best[1] / best[0]])
    heads = ["call", "by botocore", "the short way", "%"]
    show(table("CPU time of one call (microseconds)", heads, rows))
    keep("calls", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})


def _time(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        work()
    return time.process_time() - began
