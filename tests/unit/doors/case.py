"""A broker in memory whose jobs end as soon as they are sent, and its REST door over HTTP for packages of clients."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from broker.clock import now_ms
from broker.errors import BrokerError
from broker.jobs.head import Head, Status
from broker.jobs.store import REQUEST
from broker.jobs.transitions import Outcome, finish
from broker.rest.api import ROUTES
from broker.rest.http import Reply, error_reply
from broker.rest.spoken import in_dialect
from broker.tenants.identity import Unauthorized, credential

from tests.fakes.queue import FakeQueue
from tests.fakes.world import World, a_model
from tests.unit.rest_door import Door

KEYS = {"ib_acme": "acme", "ib_rich": "rich"}
"""Whose key is whose."""

Json = dict[str, Any]
Answer = Callable[[Json], Json | BrokerError | None]
"""Of a request as it is kept: the output (its files, with their kinds, as `made`), why there is none, or None while it
goes on."""

USAGE = {"input_tokens": 9, "output_tokens": 4}


def says(text: str = "Hello to you", finish_reason: str = "stop", **more: Any) -> Answer:
    """Whatever is asked, this is answered."""
    return lambda request: {"text": text, "finish_reason": finish_reason, **more}


@dataclass
class Answering(FakeQueue):
    """A queue at whose other end each job is done at once."""

    world: World | None = None
    answer: Answer = field(default_factory=says)

    def send(self, head: Head) -> None:
        """See `Queue.send`."""
        FakeQueue.send(self, head)
        self.work()

    def work(self) -> None:
        """End the jobs that can be ended."""
        assert self.world is not None
        for head in self.sent:
            if not self.world.jobs.get(head.id).status.terminal:
                end(self.world, head, self.answer(self.world.payloads.load(head.id, REQUEST) or {}))


def end(world: World, head: Head, answer: Json | BrokerError | None) -> None:
    """End a job so; or let it be."""
    if answer is None:
        return
    if isinstance(answer, BrokerError):
        status = Status.BLOCKED if answer.type == "refused" else Status.FAILED
        outcome = Outcome(status, error=answer.facts())
    else:
        made = answer.pop("made", [])
        files = [{"media_type": kind, "bytes": len(data)} for data, kind in made]
        saved = world.payloads.save(head, "OUTPUT#1.1", answer | ({"files": files} if files else {}), files=made)
        outcome = Outcome(
            Status.SUCCEEDED, model="small", output="OUTPUT#1.1", usage=USAGE, linked=saved.linked or None
        )
    world.jobs.change(head.id, lambda known: finish(known, outcome, now=now_ms()))


def a_door(answer: Answer | None = None, door: Door | None = None) -> Door:
    """The door of a broker that answers so; `acme` and `rich` are its tenants."""
    door = door or Door()
    door.world.register(a_model("small", capabilities=["json", "tools"]), a_model("vectors", tasks=["embed"]))
    door.world.tenant("rich")
    door.world.queue = Answering(world=door.world, answer=answer or says())
    return door


class Server:
    """The door over HTTP; use it as a context manager."""

    def __init__(self, door: Door, stage: str = "") -> None:
        """`stage` is what stands before the routes, for clients that write it themselves (`/v1`)."""
        self.fate: Callable[[int], str] = lambda number: "answered"
        """What becomes of the call of this number: `answered`, `cut` before or `lost` after the work, or a status that
        is told in the place of the reply that was made. A third try is always answered."""
        self.late = False
        """Whether all that may be waited is over when a call comes."""
        self.asked: list[str] = []
        lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                body = sent.decode(errors="surrogateescape") or None  # as `Request.of` does
                headers = {name.lower(): value for name, value in self.headers.items()}
                with lock:
                    owner.asked.append(f"{self.command} {self.path}")
                    fate = owner.fate(len(owner.asked))
                if headers.get("x-stainless-retry-count") == "2":
                    fate = "answered"
                if self.path.startswith("/bucket/"):
                    return self.tell(200, {}, door.bucket.objects[urlsplit(self.path).path.removeprefix("/bucket/")])
                if fate == "cut":
                    self.close_connection = True
                    return
                target = self.path.removeprefix(stage)
                proxy = reply_of(door, self.command, target, headers, body, ago_s=60 * owner.late).proxy("req-1")
                if fate == "lost":
                    self.close_connection = True
                    return
                told: Json = proxy if fate == "answered" else {"statusCode": int(fate), "headers": {}, "body": "{}"}
                self.tell(told["statusCode"], told["headers"], told["body"].encode())

            do_POST = do_DELETE = do_GET

            def tell(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def reply_of(
    door: Door, method: str, target: str, headers: dict[str, str], body: str | None, ago_s: float = 0
) -> Reply:
    """What the door says."""
    try:
        tenant = KEYS.get(credential(headers).removeprefix("Bearer "))
    except Unauthorized:
        tenant = None
    if tenant is None:
        error = {"type": "unauthorized", "code": "unauthorized", "message": "No.", "param": None, "request_id": "req-1"}
        return Reply(401, {"error": error})
    path, query = unquote(urlsplit(target).path), dict(parse_qsl(urlsplit(target).query))
    routes = sorted(ROUTES, key=lambda route: "{" in route[1])  # as API Gateway, which prefers a path to a variable
    for known, resource in routes:
        found = re.fullmatch(re.sub("{[a-z_]+}", "([^/]+)", resource), path)
        if known == method and found:
            job_id = " ".join(found.groups())
            try:
                sent = {"tenant": tenant, "job_id": job_id, "query": query, "ago_s": ago_s}
                reply = door(method, resource, body, **sent, **headers)  # type: ignore[arg-type]
                return in_dialect(resource, headers, reply)
            except BrokerError as error:
                return in_dialect(resource, headers, error_reply(error, "req-1"))
    return error_reply(BrokerError(json.dumps([method, target])), "req-1")


def answering(door: Door) -> Answering:
    """What answers the jobs of a door."""
    queue = door.world.queue
    assert isinstance(queue, Answering)
    return queue


def sent(door: Door) -> list[Head]:
    """The jobs that came by a door."""
    return [door.world.jobs.get(head.id) for head in door.world.queue.sent]
