"""Starts the processes of Python functions by a fork of one that has loaded the layer's packages (`zygote`).

A process of Python takes most of a second to load what a function depends on, of which a tenth is our own code. Where
the system cannot fork so (anything but Linux), each process starts from nothing.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from io import TextIOWrapper
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("zygote.py")

LAYERS = "_LAMBDA_LAYERS_DIRS"
"""The variable in which MiniStack tells a function's process where its layers are."""

ENDS_WITHIN_S = 2.0


class NoZygote(RuntimeError):
    """The process to fork from ended; the emulator's log says why."""


class Forked:
    """A process that was forked, with as much of `subprocess.Popen` as MiniStack uses."""

    def __init__(self, pid: int, handle: int, streams: tuple[TextIOWrapper, TextIOWrapper, TextIOWrapper]) -> None:
        """`handle` is of `pidfd_open(2)` and names this process even when its id is another's."""
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self._handle = handle

    def poll(self) -> int | None:
        """None while it runs, then 0: with which status it ended only its parent knows."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired([str(SCRIPT)], timeout or 0)
        return 0

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            looks = select.poll()
            looks.register(self._handle, select.POLLIN)
            if looks.poll(None if timeout is None else timeout * 1000):
                os.close(self._handle)
                self.returncode = 0
        return self.returncode


class Zygote:
    """A process to fork from."""

    def __init__(self, layers: list[str], script: str) -> None:
        """Start it.

        Args:
            layers: directories of layers.
            script: what runs a function, as the main module of its process.

        Raises:
            NoZygote: it did not come up.
        """
        self._asked = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-S", "-B", str(SCRIPT), str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603 - our own
        self._control.send(json.dumps({"layers": layers, "script": script}).encode())
        if not self._control.recv(16):
            self.stop()
            raise NoZygote("nothing was loaded")

    def fork(self, environment: dict[str, str], directory: str) -> Forked:
        """Fork a function's process.

        Raises:
            NoZygote: it is gone.
        """
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        streams = (_text(ours_in, "w"), _text(ours_out, "r"), _text(ours_err, "r"))
        given = [theirs_in, theirs_out, theirs_err]
        asked = json.dumps({"environment": environment, "directory": directory}).encode()
        try:
            with self._asked:
                socket.send_fds(self._control, [asked], given)
                told, handles, _, _ = socket.recv_fds(self._control, 16, 1)
        except OSError:
            told = b""
        finally:
            for each in given:
                os.close(each)
        if not told:
            for stream in streams:
                stream.close()
            raise NoZygote("it forked nothing")
        return Forked(int(told), handles[0], streams)

    def alive(self) -> bool:
        """True while it runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it; what was forked lives on."""
        self._control.close()
        self._process.wait(ENDS_WITHIN_S)


class Zygotes:
    """A process to fork from for each set of layers, started when a function first needs it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Zygote] = {}
        self._starts = threading.Lock()

    def start(self, command: list[str], *, cwd: str, env: dict[str, str], **streams: Any) -> Any:
        """In place of `subprocess.Popen`: runs a function's process, a Python one by a fork."""
        if sys.platform != "linux" or command[0] != sys.executable:
            return subprocess.Popen(command, cwd=cwd, env=env, **streams)  # noqa: S603 - as shipped
        layers = tuple(os.path.realpath(each) for each in env.get(LAYERS, "").split(os.pathsep) if each)
        with self._starts:
            zygote = self._known.get(layers)
            if zygote and not zygote.alive():
                zygote.stop()
                zygote = None
            if not zygote:
                zygote = self._known[layers] = Zygote(list(layers), Path(command[1]).read_text())
        return zygote.fork(env, cwd)

    def stop(self) -> None:
        """End all."""
        for each in self._known.values():
            each.stop()
        self._known.clear()


def _text(descriptor: int, mode: str) -> TextIOWrapper:
    """One of our ends, as `subprocess` opens it for text."""
    raw = open(descriptor, f"{mode}b")
    return TextIOWrapper(raw, line_buffering=mode == "w")
