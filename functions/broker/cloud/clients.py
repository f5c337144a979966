"""AWS clients: one for each service and process, made at first use.

Services that speak JSON are called by the short way of `cloud.lean`. All others, and these where the environment does
not say all, have botocore's own clients, which boto3 wraps: the resource layer of boto3 would be loaded at every start
and used nowhere. Retries are botocore's `standard` mode (with jitter), bounded so that a handler fails before its own
timeout: throttled to the last, a request takes up to seven seconds.
"""

import os
from functools import cache, partial
from threading import Lock
from typing import Any

CONNECT_S, READ_S = 3, 10
"""Seconds for a connection, and for each wait for bytes."""

SLOW_S = {"textract": 60}
"""Of services that take longer than that for one request: Textract reads a whole page."""

ATTEMPTS = 4
"""Of one request."""

REGIONAL: Any = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
"""Of S3. botocore's default signs links for the bucket's region and has them lead to `s3.amazonaws.com`. That redirects
for new buckets, so that the signature holds no more, and refuses for newer regions (S3 API, "Request routing")."""


_making = Lock()
"""A session makes clients in one thread at a time (boto3 guide, "Multithreading or multiprocessing with clients")."""


@cache
def _session() -> Any:
    from botocore.session import get_session

    return get_session()


@cache
def client(service: str, attempts: int = ATTEMPTS) -> Any:
    """The client of a service in the function's own region; fewer `attempts` are for what no job should wait for."""
    made = _lean(service, attempts) or _of_botocore(service, attempts)
    if os.environ.get("BROKER_FAULTS"):
        from broker.cloud.fault_injection import Faulty

        return Faulty(made, os.environ["BROKER_FAULTS"])
    return made


def _lean(name: str, attempts: int) -> Any:
    """None where the short way does not lead there."""
    from broker.cloud.access import access
    from broker.cloud.operations import SERVICES

    service = SERVICES.get(name)
    found = access(service.host, service.variable) if service else None
    if not service or not found:
        return None
    from broker.cloud.lean import LeanClient

    make = partial(_of_botocore, name, attempts)
    return LeanClient(service, found, _server(found.url, found.bundle), make, user_agent=_user_agent())


SOON_S = 2
"""For a connection, and for each wait for bytes, where many wait for their turn."""

MOST_AT_ONCE = 16
"""Requests that one client has under way, of as many threads."""


@cache
def of_connections(url: str) -> Any:
    """The client of the connections of a WebSocket API, at its stage's `url`: each request is made once, and soon."""
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=SOON_S,
        read_timeout=SOON_S,
        max_pool_connections=MOST_AT_ONCE,
        tcp_keepalive=True,
        parameter_validation=False,
        user_agent=_user_agent(),
    )
    with _making:
        return _session().create_client("apigatewaymanagementapi", endpoint_url=url, config=config)


@cache
def _server(url: str, bundle: str) -> Any:
    """The connections to a service, which all of its clients share."""
    from broker.cloud.keep_alive import KeepAlive

    return KeepAlive(url, connect_s=CONNECT_S, read_s=READ_S, bundle=bundle)


def _of_botocore(service: str, attempts: int) -> Any:
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_S,
        read_timeout=SLOW_S.get(service, READ_S),
        tcp_keepalive=True,
        parameter_validation=False,
        # botocore builds its own anew for each request, at a quarter of the CPU time that the whole call takes.
        user_agent=_user_agent(),
        # Links to objects that are encrypted with a key of KMS need it; all other services sign so anyway.
        signature_version="s3v4" if service == "s3" else None,
        s3=REGIONAL if service == "s3" and not _elsewhere() else None,
    )
    with _making:
        return _session().create_client(service, config=config)


def _elsewhere() -> bool:
    """True where S3 is at an address of its own, which need not have names for buckets below it."""
    return any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"))


def _user_agent() -> str:
    return f"inference-broker app/{os.environ.get('AWS_SDK_UA_APP_ID', 'functions')}"
