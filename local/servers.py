"""The three servers of the embedded cloud: MiniStack, moto and the local model server.

Each listens on 127.0.0.1 only, writes its log below `.local/`, and is stopped by its own process id.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
FIRST_CHOICE = {"services": 4567, "models": 4568, "cloud": 4566}
"""Ports that are taken where they are free; others otherwise. The cloud comes last, for it is told of the others."""

ON_MOTO = ("COMPREHEND", "LEX_RUNTIME_V2", "POLLY", "REKOGNITION", "SAGEMAKER_RUNTIME", "TEXTRACT", "TRANSLATE")
"""Services that moto stands in for; functions find all others on MiniStack."""

SERVERS_FILE = "SERVERS_FILE"
"""The variable that tells a server where all are listed: the cloud starts last."""

RESULTS = "sagemaker-output"
"""The bucket that asynchronous endpoints write to (the template's `SageMakerOutputBucket`)."""

LAMBDA_CONCURRENCY = "1000"
"""Functions that run at a time, unless the variable of that name says so: AWS's default for an account and region."""

STARTS_WITHIN_S = 90

_started: list[subprocess.Popen[bytes]] = []
"""Children of this process: they outlive it, and when it stops them itself, it has to collect them."""


class NotStarted(Exception):
    """A server did not come up; the message says where its log is."""


@dataclass(frozen=True, slots=True)
class Server:
    """One running server."""

    name: str
    pid: int
    started: str
    """The kernel's start time of the process: a recycled id is not mistaken for ours."""
    url: str

    def alive(self) -> bool:
        """True while our own process runs."""
        return bool(self.started) and _start_time(self.pid) == self.started

    def stop(self) -> None:
        """End it, by force if it does not go within ten seconds."""
        for number, patience in ((signal.SIGTERM, 100), (signal.SIGKILL, 20)):
            for attempt in range(patience):
                if not self.alive():
                    return
                if attempt == 0:
                    with suppress(ProcessLookupError):
                        os.killpg(self.pid, number)
                time.sleep(0.1)


def _start_time(pid: int) -> str:
    """Start time of a process that runs, empty where there is none (zombies count as none)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        shown = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True)  # noqa: S603, S607 - where there is no /proc
        return "" if "Z" in shown.stdout[-3:] else shown.stdout.strip()[:24]
    return "" if after_name[0] == "Z" else after_name[19]


def _others(services_url: str, models_url: str) -> dict[str, str]:
    """What the cloud is told of the others.

    Functions find the services of moto by service-specific endpoints (AWS SDKs and Tools Reference Guide), for
    MiniStack gives them its own environment beside theirs. Its Bedrock has the local models answer.
    """
    elsewhere = {f"AWS_ENDPOINT_URL_{name}": services_url for name in ON_MOTO}
    return {**elsewhere, "MINISTACK_BEDROCK_PROXY_URL": models_url}


def free_port(wanted: int) -> int:
    """The wanted port where it is free, or any other that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            # A port that was just left counts as free; one with a listener does not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotStarted("no port of 127.0.0.1 is free")


class Servers:
    """The servers of one work folder; what runs is kept in its `servers.json`."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], *, emulator: str = "local.emulator", **variables: str
    ) -> None:
        """`emulator` is the module that runs MiniStack, for those who wrap it once more; `variables` are for it."""
        self.folder = folder
        self._emulator = emulator
        self._variables = variables
        self._say = say
        self._file = folder / "servers.json"

    def running(self) -> dict[str, Server]:
        """Those that are up, by name."""
        if not self._file.exists():
            return {}
        known = [Server(**each) for each in json.loads(self._file.read_text())]
        return {each.name: each for each in known if each.alive()}

    def start(self, *, persist: bool) -> dict[str, Server]:
        """Start what does not run yet, and wait until all answer."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        running = self.running()
        for name in FIRST_CHOICE:
            if name in running:
                continue
            port = free_port(FIRST_CHOICE[name])
            if port != FIRST_CHOICE[name]:
                self._say(f"port {FIRST_CHOICE[name]} is in use; {name} takes {port}")
            running[name] = self._spawn(name, port, persist, running)
            self._file.write_text(json.dumps([asdict(each) for each in running.values()], indent=2))
        for server in running.values():
            self._wait(server)
        return running

    def stop(self) -> list[str]:
        """Stop all; gives the names of those that ran."""
        running = self.running()
        for server in running.values():
            server.stop()
        for child in _started:
            child.poll()
        self._file.unlink(missing_ok=True)
        return list(running)

    def log(self, name: str) -> Path:
        """Where a server writes."""
        return self.folder / f"{name}.log"

    def _spawn(self, name: str, port: int, persist: bool, before: dict[str, Server]) -> Server:
        arguments = {
            "cloud": ["-m", self._emulator],
            "services": ["-m", "local.services", "-H", "127.0.0.1", "-p", str(port)],
            "models": ["-m", "local.model_server", "--port", str(port)],
        }
        others = _others(before["services"].url, before["models"].url) if name == "cloud" else {}
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, *arguments[name]],
                cwd=ROOT,
                env=self._environment(port, persist) | self._variables | others,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.append(process)
        return Server(name, process.pid, _start_time(process.pid), f"http://127.0.0.1:{port}")

    def _environment(self, port: int, persist: bool) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "MINISTACK_REGION": REGION,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # it would listen on all interfaces
            "SFTP_ENABLED": "0",
            "AUTH": "true",  # a function may do what its role allows, and nothing else
            "LAMBDA_ACCOUNT_CONCURRENCY": os.environ.get("LAMBDA_CONCURRENCY", LAMBDA_CONCURRENCY),
            "LOG_LEVEL": os.environ.get("CLOUD_LOG_LEVEL", "WARNING"),
            "TMPDIR": str(self.folder / "tmp"),
            "PERSIST_STATE": "1" if persist else "0",
            "S3_PERSIST": "1" if persist else "0",
            "STATE_DIR": str(self.folder / "state"),
            SERVERS_FILE: str(self._file),
            "S3_DATA_DIR": str(self.folder / "s3"),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # else each of forty threads keeps for itself what it gave back (mallopt(3))
        }

    def _wait(self, server: Server) -> None:
        pool = urllib3.PoolManager(retries=False, timeout=2)
        until = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until and server.alive():
            try:
                pool.request("GET", f"{server.url}/")
                return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise NotStarted(f"{server.name} did not come up; see {self.log(server.name)}")
