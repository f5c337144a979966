"""Signatures of webhooks, by Standard Webhooks (https://www.standardwebhooks.com).

A secret is `whsec_` and base64. The signature (`v1`) is HMAC-SHA256 over `id.timestamp.body`; during a rotation there
are several, one for each secret, and a receiver is content with any. A private key is `whsk_` and the base64 of the 32
bytes of an Ed25519 key (RFC 8032); its signature (`v1a`) is of the same text, and receivers verify it with the public
key (`whpk_`).
"""

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping, Sequence

from broker.errors import CredentialRejected

PREFIX, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


class SignatureInvalid(ValueError):
    """The message is not from who it says, was changed, or is too old."""


def new_secret() -> str:
    """A new secret of 256 bits."""
    return PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def new_key() -> tuple[str, str]:
    """A new private key, and its public one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # slow to load, and seldom needed

    seed = random.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return PRIVATE + base64.b64encode(seed).decode(), PUBLIC + base64.b64encode(public).decode()


def jwk(public: str) -> dict[str, str]:
    """A public key as a JSON Web Key (RFC 8037)."""
    raw = base64.b64decode(public.removeprefix(PUBLIC))
    kid = hashlib.sha256(raw).hexdigest()[:16]
    x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}


def sign(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: `v1,…` or `v1a,…`, one for each secret or private key, with spaces between.

    Raises:
        CredentialRejected: there is no secret, or one is empty or not base64.
    """
    if not secrets:
        raise CredentialRejected("The tenant has no webhook secret.", code="no_webhook_secret")
    stamp = str(timestamp_s)
    return " ".join(
        f"v1a,{_of_key(each, message_id, stamp, body)}"
        if each.startswith(PRIVATE)
        else f"v1,{_mac(each, message_id, stamp, body)}"
        for each in secrets
    )


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


def _of_key(private: str, message_id: str, stamp: str, body: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private.removeprefix(PRIVATE)))
    return base64.b64encode(key.sign(f"{message_id}.{stamp}.".encode() + body)).decode()


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
