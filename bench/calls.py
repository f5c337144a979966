"""CPU time of one call to AWS: by botocore's client and by the short way of the functions, each with TLS too.

The embedded cloud speaks plain HTTP and AWS does not, so what TLS adds is measured here, and is in `prices.json`: to a
request over a kept connection, and to a connection that is made anew.
"""

import ipaddress
import json
import ssl
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import get_session
from broker.cloud.access import Access
from broker.cloud.attributes import encode_item
from broker.cloud.keep_alive import KeepAlive
from broker.cloud.lean import LeanClient
from broker.cloud.operations import SERVICES
from cryptography import x509

from bench.tables import Cell, keep, show, table
from local.servers import REGION
from tests.unit.certificates import write_certificate

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


def _serve(ready: Connection, certificate: Path | None) -> None:
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
            headers = {"Content-Type": "application/x-amz-json-1.0", "Connection": "keep-alive"}
            headers |= {"x-amzn-RequestId": "A" * 52, "x-amz-crc32": str(zlib.crc32(body))}
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    ready.send(server.server_port)
    server.serve_forever()


def run() -> None:
    """Call servers of our own on the loopback interface, each in all ways in turn, and print."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = write_certificate(Path(folder), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        with _server(None) as plain, _server(certificate) as tls:
            urls = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"
            rows = _measure([*_clients(urls[0]), *_clients(urls[1], str(certificate))])
            anew = _anew([(urls[0], None), (urls[1], str(certificate))])
    show(f"\na new connection: {anew[0]:.0f} microseconds more, with TLS {anew[1]:.0f}")
    keep("calls", {"rows": rows, "new_connection": anew[0], "new_tls_connection": anew[1]})


@contextmanager
def _server(certificate: Path | None) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    context = get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, certificate), daemon=True)
    server.start()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def _clients(url: str, verify: Any = True) -> list[Any]:
    """Botocore's client and the short way."""
    config = Config(parameter_validation=False, user_agent="bench", retries={"mode": "standard"})
    keys: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "aws_session_token": TOKEN}
    made = get_session().create_client("dynamodb", REGION, endpoint_url=url, config=config, verify=verify, **keys)
    access = Access(url, REGION, "x", "x", TOKEN, "" if verify is True else str(verify))
    server = KeepAlive(access.url, connect_s=3, read_s=10, bundle=access.bundle)
    lean = LeanClient(SERVICES["dynamodb"], access, server, lambda: made, user_agent="bench")
    return [made, lean]


def _anew(servers: list[tuple[str, str | None]]) -> list[float]:
    """Microseconds of CPU that a request takes more for a connection of its own: its client's side alone."""
    headers, found = {"x-amz-target": "DynamoDB_20120810.PutItem"}, list[float]()
    for url, bundle in servers:
        connection = partial(KeepAlive, url, connect_s=3, read_s=10, bundle=bundle)
        kept = connection()
        once = min(_time(partial(kept.post, "/", headers, b"{}")) for _ in range(3))
        anew = min(_time(partial(_post_anew, connection, headers)) for _ in range(3))
        found.append((anew - once) / CALLS * 1e6)
    return found


def _post_anew(connection: Callable[[], KeepAlive], headers: dict[str, str]) -> None:
    connection().post("/", headers, b"{}")


def _measure(clients: list[Any]) -> list[dict[str, Any]]:
    rows: list[list[Cell]] = []
    for name, request in CALLED.items():
        ways = [partial(getattr(client, name), **request) for client in clients]
        best = [float("inf")] * len(ways)
        for _ in range(ROUNDS):
            best = [min(known, _time(way)) for known, way in zip(best, ways, strict=True)]
        botocore, lean, botocore_tls, lean_tls = (seconds / CALLS * 1e6 for seconds in best)
        rows.append([name, botocore, lean, 100 * lean / botocore, botocore_tls, lean_tls, lean_tls - lean])
    heads = ["call", "by botocore", "the short way", "%", "botocore, TLS", "short, TLS", "TLS alone"]
    show(table("CPU time of one call (microseconds)", heads, rows))
    return [dict(zip(heads, row, strict=True)) for row in rows]


def _time(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        work()
    return time.process_time() - began
