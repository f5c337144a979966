"""AWS clients: one for each service and process, made at first use.

They are botocore's own, which boto3 wraps: the resource layer of boto3 would be loaded at every start and used nowhere.
Retries are botocore's `standard` mode (with jitter), bounded so that a handler fails before its own timeout. Services
that speak JSON are called by the short way of `cloud.lean`.
"""

import os
from functools import cache
from typing import Any


@cache
def _session() -> Any:
    from botocore.session import get_session

    return get_session()


@cache
def client(service: str) -> Any:
    """The client of a service in the function's own region."""
    from botocore.config import Config

    from broker.cloud.lean import LeanClient, suits

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=3,
        read_timeout=10,
        tcp_keepalive=True,
        parameter_validation=False,
        # botocore builds its own anew for each request, at a quarter of the CPU time that the whole call takes.
        user_agent=f"inference-broker app/{os.environ.get('AWS_SDK_UA_APP_ID', 'functions')}",
        # Links to objects that are encrypted with a key of KMS need it; all other services sign so anyway.
        signature_version="s3v4" if service == "s3" else None,
    )
    made = _session().create_client(service, config=config)
    credentials = _session().get_credentials()
    if credentials and suits(made):
        made = LeanClient(made, credentials, _session().get_config_variable("ca_bundle") or True)
    if os.environ.get("BROKER_FAULTS"):
        from broker.cloud.fault_injection import Faulty

        return Faulty(made, os.environ["BROKER_FAULTS"])
    return made
