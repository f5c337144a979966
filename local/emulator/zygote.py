"""The process that the functions of one dependency layer are forked from: it has loaded what is heavy in the layer.

`local.emulator.forking` starts it as `python -I -S -B zygote.py FD` and talks to it over the socket FD, a message at a
time. The first has the layer's directories and the script that runs functions; the reply says that all is loaded. Each
that follows has the environment and the directory of a function and brings its three standard streams; the reply says
the process's id and brings a handle of it (`pidfd_open(2)`).

Of our own code nothing is loaded here. A forked process is as one that was just started: its own environment, no thread
but one, no connection, nothing of the machine's Python but the standard library. What a package reads from the
environment while it is imported it has read here, from the emulator's.
"""

import gc
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

LOADED = (
    "aws_lambda_powertools.logging",
    "botocore.config",
    "botocore.handlers",
    "botocore.parsers",
    "botocore.session",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "email.utils",
    "http.client",
    "httptools",
    "ipaddress",
    "jsonschema_rs",
    "jwt.algorithms",
    "pydantic",
    "pydantic.functional_validators",
    "pydantic.json_schema",
    "pydantic.main",
    "pydantic.root_model",
    "secrets",
    "urllib3",
    "uuid",
)
"""Where a layer has them. Not X-Ray's SDK: it opens a socket while it is imported."""

MOST_BYTES = 1 << 20
"""Of a message."""

STREAMS = 3


class NotAlone(RuntimeError):
    """A package started a thread while it was imported: a fork would lose it, and whatever it held."""


def load(layers: list[str]) -> None:
    """Import what the layers have of `LOADED`; the path is as before when this returns.

    Raises:
        NotAlone: a thread runs now.
    """
    before = sys.path[:]
    for layer in layers:
        sys.path[:0] = [layer, str(Path(layer, "python"))]
    for name in LOADED:
        try:
            import_module(name)
        except ModuleNotFoundError:
            continue
    sys.path[:] = before
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        raise NotAlone("the zygote has more than one thread")


def become(asked: dict[str, Any], streams: list[int]) -> None:
    """Turn the process that was just forked into the function's: its streams, environment and directory."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])


def run(script: CodeType) -> None:
    """Run a script as Python does, as the main module."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(script, vars(main))  # noqa: S102 - the emulator's own


def serve(control: socket.socket) -> CodeType | None:
    """Fork whenever asked to. Gives the script in each process that was forked, and nothing when nobody asks more."""
    first = json.loads(control.recv(MOST_BYTES))
    script = compile(first["script"], "function", "exec")
    load(first["layers"])
    gc.collect()
    gc.freeze()  # a collection would touch, and so copy, the pages that are shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects who has ended
    control.send(b"loaded")
    while True:
        message, streams, _, _ = socket.recv_fds(control, MOST_BYTES, STREAMS)
        if not message:
            return None
        process = os.fork()
        if process == 0:
            control.close()
            become(json.loads(message), streams)
            return script
        handle = os.pidfd_open(process)
        socket.send_fds(control, [str(process).encode()], [handle])
        for each in (handle, *streams):
            os.close(each)


if __name__ == "__main__":
    forked = serve(socket.socket(fileno=int(sys.argv[1])))
    if forked:
        run(forked)
