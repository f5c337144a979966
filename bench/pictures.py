"""Memory that pictures take in the function that waits for them: a fresh process for each row."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from bench.processes import processes
from bench.tables import Cell, keep, show, table
from local.servers import ROOT

ROWS = ((0, 0.0), (1, 1.5), (1, 3.0), (4, 1.5), (4, 3.0), (10, 1.5), (10, 3.0))
"""Pictures of a job, and megabytes of each. They come four at a time, as those of a million pixels do."""


def run() -> None:
    """Have a server of our own paint what no compressor packs, and print the peaks."""
    peaks: list[float] = []
    rows: list[list[Cell]] = []
    for count, megabytes in ROWS:
        with _Painter(megabytes) as painter:
            peaks.append(_peak(painter.url, count))
        rows.append([count, megabytes, count * megabytes, peaks[-1], peaks[-1] - peaks[0]])
    heads = ["pictures", "MB each", "MB", "peak MB of the process", "more than without"]
    show(table("Memory of a job that makes pictures", heads, rows))
    keep("pictures", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})


def _peak(url: str, count: int) -> float:
    command = [sys.executable, "-m", "bench.painting", url, str(count)]
    path = {**os.environ, "PYTHONPATH": str(ROOT / "functions")}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=path, **pipes) as child:  # noqa: S603 - our own module
        if child.stdout:
            child.stdout.readline()
        peak = next(each.peak_mb for each in processes(child.pid) if each.pid == child.pid)
        child.kill()
        return peak


class _Painter:
    """Gives each request as many pictures as it wants, all of one size."""

    def __init__(self, megabytes: float) -> None:
        one = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(int(megabytes * 1e6))).decode()

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps({"data": [{"b64_json": one}] * asked["n"]}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "_Painter":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
