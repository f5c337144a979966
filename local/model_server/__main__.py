"""Command line of the local model server."""

import argparse
import ipaddress
import json
import signal
import threading

from local.model_server.server import ModelServer


def _loopback(value: str) -> str:
    if not ipaddress.IPv4Address(value).is_loopback:
        raise argparse.ArgumentTypeError(f"{value} is not a loopback address")
    return value


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m local.model_server", description="A local model provider.")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="a loopback address (IPv4)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ModelServer(options.host, options.port) as server:
        print(json.dumps({"url": server.url}), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
