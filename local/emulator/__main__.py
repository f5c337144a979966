"""Patch the emulator, count its requests, and serve until told to stop."""

from ministack import app as ministack_app

from local.emulator import (
    bedrock,
    callbacks,
    fidelity,
    gateway,
    limits,
    memory,
    processes,
    sockets,
    speed,
    stored,
    versions,
)
from local.emulator.counting import counted
from local.emulator.serving import serve


def main() -> None:
    """Start it on the port of `GATEWAY_PORT`."""
    fidelity.patch()
    callbacks.patch()
    gateway.patch()
    sockets.patch()
    bedrock.patch()
    limits.patch()
    speed.patch()
    processes.patch()
    memory.patch()
    stored.patch()
    versions.patch()
    serve(counted(ministack_app.app))


if __name__ == "__main__":
    main()
