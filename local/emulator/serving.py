"""Serves the emulator by uvicorn with httptools and uvloop.

MiniStack's own choice is hypercorn with h11, which is Python all through: more than a third of the emulator's time
under load went there.
"""

import os
import resource
from typing import Any

import uvicorn

KEEPS_CONNECTIONS_S = 75
"""As long as MiniStack keeps a connection that nobody uses."""

ENDS_WITHIN_S = 2
"""How long requests that are under way hold up its end: a long poll would do so for 20 s."""


def serve(application: Any) -> None:
    """Serve an ASGI application on `BIND_HOST` and `GATEWAY_PORT` until told to stop (SIGTERM or SIGINT)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        application,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        loop="uvloop",
        http="httptools",
        # It comes with MiniStack. uvicorn would take another library where a developer has it.
        ws="wsproto",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        # Each answer brings its own, as AWS's do.
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEPS_CONNECTIONS_S,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
