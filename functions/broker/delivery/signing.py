"""Signatures of webhooks, by Standard Webhooks (https://www.standardwebhooks.com).

A secret is `whsec_` and base64. The signature is HMAC-SHA256 over `id.timestamp.body`; during a rotation there are
several, one for each secret, and a receiver is content with any.
"""

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping, Sequence

from broker.errors import CredentialRejected

PREFIX = "whsec_"


class SignatureInvalid(ValueError):
    """The message is not from who it says, was changed, or is too old."""


def new_secret() -> str:
    """A new secret of 256 bits."""
    return PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def sign(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: `v1,…`, one for each secret, with spaces between.

    Raises:
        CredentialRejected: there is no secret, or one is empty or not base64.
    """
    if not secrets:
        raise CredentialRejected("The tenant has no webhook secret.", code="no_webhook_secret")
    return " ".join(f"v1,{_mac(secret, message_id, str(timestamp_s), body)}" for secret in secrets)


def verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: int, *, tolerance_s: int = 300
) -> None:
    """What a receiver does; header names in lower case.

    Raises:
        SignatureInvalid: says which check failed.
    """
    try:
        message_id, stamp, given = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        age = now_s - int(stamp)
    except (KeyError, ValueError):
        raise SignatureInvalid("a webhook header is missing or malformed") from None
    if abs(age) > tolerance_s:
        raise SignatureInvalid("the timestamp is too far from now")
    expected = [f"v1,{_mac(secret, message_id, stamp, body)}".encode() for secret in secrets]
    if not any(hmac.compare_digest(each.encode(), mine) for each in given.split(" ") for mine in expected):
        raise SignatureInvalid("no signature matches")


def _mac(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:  # anyone can sign with an empty key
        raise CredentialRejected("The webhook secret is empty or not base64.", code="bad_webhook_secret")
    digest = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
