"""Where AWS is and who calls it, by the environment alone: as each function of Lambda has it.

Where botocore would look further (a file of settings, a proxy, endpoints of another kind or partition), it is left to
botocore.
"""

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

FURTHER = ("AWS_CONFIG_FILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
           "AWS_PROFILE", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT")  # fmt: skip
"""Variables of which each makes botocore look further."""

REGIONS = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+")
"""Of the partition `aws`, by botocore's `partitions.json`; others have other domains."""


class Access(NamedTuple):
    """To one service; `bundle` is the file of certificates that vouch for it."""

    url: str
    region: str
    access_key: str
    secret_key: str
    token: str | None
    bundle: str


def access(prefix: str, name: str, given: Mapping[str, str] = os.environ) -> Access | None:
    """The access to a service, or None where botocore has to find it.

    `prefix` begins the service's host; `name` is its id in variables such as `AWS_ENDPOINT_URL_DYNAMODB`.
    """
    region = given.get("AWS_DEFAULT_REGION", "")
    access_key, secret_key = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
    url = given.get(f"AWS_ENDPOINT_URL_{name}") or given.get("AWS_ENDPOINT_URL")
    if not url and REGIONS.fullmatch(region):
        url = f"https://{prefix}.{region}.amazonaws.com"
    if not (url and region and access_key and secret_key) or _has_more(given):
        return None
    token = given.get("AWS_SECURITY_TOKEN") or given.get("AWS_SESSION_TOKEN")
    return Access(url, region, access_key, secret_key, token, given.get("AWS_CA_BUNDLE") or _own_bundle())


def _has_more(given: Mapping[str, str]) -> bool:
    """Whether there is more than what `access` reads."""
    if any(given.get(name) for name in FURTHER):
        return True
    if any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in given):
        return True
    in_lambda = "AWS_LAMBDA_FUNCTION_NAME" in given
    return not in_lambda and Path("~/.aws/config").expanduser().exists()


def _own_bundle() -> str:
    """botocore's, found without loading botocore."""
    found = find_spec("botocore")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("botocore")
    return str(Path(found.origin).with_name("cacert.pem"))
