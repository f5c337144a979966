"""A session of the embedded cloud, as far as the command needs one."""

from collections.abc import Mapping
from typing import Any

import boto3
import botocore.session


class LocalSession:
    """As far as the command needs one, a boto3 session of the embedded cloud."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._endpoint = variables["AWS_ENDPOINT_URL"]
        # Whichever profile the shell names, even one that is not there.
        bare = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        self._session = boto3.Session(
            variables["AWS_ACCESS_KEY_ID"],
            variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_DEFAULT_REGION"],
            botocore_session=bare,
        )

    def client(self, service: str, **options: Any) -> Any:
        """A client of a service; options as those of boto3."""
        return self._session.client(service, endpoint_url=self._endpoint, **options)  # type: ignore[call-overload]  # any name
