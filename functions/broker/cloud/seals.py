"""KMS: secrets that tenants make, encrypted with the stack's key before they are kept.

What is sealed for an endpoint opens for no other: the tenant and the endpoint are the encryption context, which KMS
holds against the ciphertext (AWS KMS developer guide, "Encryption context").
"""

from base64 import b64decode
from collections.abc import Callable
from threading import Lock
from typing import Any

from broker.errors import CredentialRejected

PURPOSE = "webhook"
"""In the context, by which the functions' rights tell these secrets from all else."""

KEPT = 1_000
"""Secrets in memory. What a ciphertext holds never changes."""


class KmsSeal:
    """See `endpoints.keeping.Seal`. Threads may share it."""

    def __init__(self, client: Callable[[], Any], key: str) -> None:
        """`client` is made where there is something to seal or to open; `key` is its ARN."""
        self._client = client
        self._key = key
        self._lock = Lock()
        self._opened: dict[tuple[str, str, bytes], str] = {}

    def seal(self, tenant: str, endpoint_id: str, text: str) -> bytes:
        """See `Seal.seal`; up to 4,096 bytes."""
        context = _context(tenant, endpoint_id)
        reply = self._client().encrypt(KeyId=self._key, Plaintext=text.encode(), EncryptionContext=context)
        return _bytes(reply["CiphertextBlob"])

    def open(self, tenant: str, endpoint_id: str, sealed: bytes) -> str:
        """See `Seal.open`."""
        known = (tenant, endpoint_id, sealed)
        if (found := self._opened.get(known)) is not None:
            return found
        client, context = self._client(), _context(tenant, endpoint_id)
        try:
            reply = client.decrypt(KeyId=self._key, CiphertextBlob=sealed, EncryptionContext=context)
        except client.exceptions.InvalidCiphertextException:
            raise CredentialRejected("The endpoint's secret cannot be read.", code="bad_webhook_secret") from None
        text = _bytes(reply["Plaintext"]).decode()
        with self._lock:
            while len(self._opened) >= KEPT:
                self._opened.pop(next(iter(self._opened)))
            self._opened[known] = text
        return text


def _context(tenant: str, endpoint_id: str) -> dict[str, str]:
    return {"purpose": PURPOSE, "tenant": tenant, "endpoint": endpoint_id}


def _bytes(value: bytes | str) -> bytes:
    """As botocore's client gives it, or as it came."""
    return b64decode(value) if isinstance(value, str) else value
