"""AWS's Signature Version 4 of a POST without a query.

IAM User Guide, "Create a signed AWS API request". botocore's signer derives its key anew for each request, which is
four of the five digests; the key holds for a day, a region and a service.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs for one secret, region and service."""

    def __init__(self, access_key: str, secret_key: str, region: str, service: str) -> None:
        self._access_key, self._secret_key = access_key, secret_key
        self._scope = f"{region}/{service}/aws4_request"
        self._key = "", b""
        """The day and its key."""

    def authorization(self, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """The header `authorization`, over all `headers`: names in lower case, `x-amz-date` among them."""
        now = headers["x-amz-date"]
        scope = f"{now[:8]}/{self._scope}"
        names = sorted(headers)
        listed, lines = ";".join(names), "".join([f"{name}:{headers[name]}\n" for name in names])
        canonical = f"POST\n{path}\n\n{lines}\n{listed}\n{sha256(body).hexdigest()}"
        signed = f"{ALGORITHM}\n{now}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(now[:8]), signed.encode(), "sha256").hex()
        return f"{ALGORITHM} Credential={self._access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"

    def _key_of(self, day: str) -> bytes:
        known, key = self._key
        if known != day:
            key = f"AWS4{self._secret_key}".encode()
            for part in (day, *self._scope.split("/")):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, key
        return key
