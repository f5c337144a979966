"""Memory that a thousand wide embeddings take in the function that waits for them: a fresh process for each row."""

import base64
import json
import os
import random
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.memory import RUNTIME_MB
from bench.processes import processes
from bench.tables import Cell, keep, show, table
from local.servers import ROOT

COUNT = 1_000

ROWS = (
    ("openai", "one text", "text-embedding-3-large", 3_072, 0),
    ("openai", "numbers in words", "text-embedding-3-large", 3_072, COUNT),
    ("azure", "in base64", "text-embedding-3-large", 3_072, COUNT),
    ("gemini", "", "gemini-embedding-001", 3_072, COUNT),
    ("cohere", "", "embed-v4.0", 1_536, COUNT),
    ("bedrock", "a text at a time", "amazon.titan-embed-text-v2:0", 1_024, COUNT),
    ("bedrock", "", "cohere.embed-v4:0", 1_536, COUNT),
)
"""Provider, how its numbers come, model, its numbers of a text, texts."""


def run() -> None:
    """Have a server of our own answer as each of them does, take the objects as well, and print the peaks."""
    rows: list[list[Cell]] = []
    with _Server() as server:
        for provider, how, model, numbers, count in ROWS:
            server.numbers = numbers
            server.stored = 0
            peak, came_s, kept_s = _peak(server.url, provider, model, count)
            rows.append([f"{provider} {how}", count or 1, numbers, server.stored / 1e6, peak, came_s, kept_s])
    heads = ["provider", "texts", "numbers", "MB of JSON", "peak MB", "CPU s, call", "CPU s, kept"]
    show(table(f"Memory of a job that embeds many texts (Lambda's runtime takes {RUNTIME_MB} more)", heads, rows))
    keep("embeddings", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})


def _peak(url: str, provider: str, model: str, count: int) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "bench.embedding", url, provider, model, str(count)]
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    path = {**os.environ, **keys, "PYTHONPATH": str(ROOT / "functions"), "AWS_ENDPOINT_URL": url}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=path, **pipes) as child:  # noqa: S603 - our own module
        said = json.loads(child.stdout.readline()) if child.stdout else []
        peak = next(each.peak_mb for each in processes(child.pid) if each.pid == child.pid)
        child.kill()
        return peak, said[0], said[1]


def _vector(numbers: int, *, packed: bool) -> Any:
    found = [random.gauss(0, 0.02) for _ in range(numbers)]  # as embeddings look
    return base64.b64encode(struct.pack(f"<{numbers}f", *found)).decode() if packed else found


class _Server:
    """Each text of a request gets a vector of `numbers`, in whatever form its path has; objects are thrown away."""

    def __init__(self) -> None:
        self.numbers = self.stored = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_PUT(self) -> None:
                chunked = self.headers.get("transfer-encoding") == "chunked"
                left = 0 if chunked else int(self.headers.get("content-length", 0))
                owner.stored += left
                while left or chunked:
                    if chunked and not left:
                        left = int(self.rfile.readline().split(b";")[0], 16)
                        owner.stored += left
                        if not left:
                            self.rfile.readline()
                            break
                    left -= len(self.rfile.read(min(left, 65_536)))
                    if chunked and not left:
                        self.rfile.readline()
                self._reply(b"")

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._reply(json.dumps(owner.reply(self.path, asked)).encode())

            def _reply(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reply(self, path: str, asked: dict[str, Any]) -> Any:
        """As the service of that path answers."""
        texts = next(asked[name] for name in ("input", "requests", "texts", "inputText") if name in asked)
        packed = asked.get("encoding_format") == "base64"
        made = [_vector(self.numbers, packed=packed) for _ in (texts if isinstance(texts, list) else [texts])]
        if "batchEmbedContents" in path:
            return {"embeddings": [{"values": each} for each in made]}
        if "inputText" in asked:
            return {"embedding": made[0], "inputTextTokenCount": 5}
        if "texts" in asked:
            return {"id": "1", "embeddings": {"float": made}}
        return {"data": [{"index": place, "embedding": each} for place, each in enumerate(made)]}

    def __enter__(self) -> "_Server":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
