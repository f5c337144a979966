"""Identity: from an `Authorization` header to a tenant, a principal and scopes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.storage import Database
from broker.tenants.api_keys import PREFIX, key_hash, key_id, well_formed

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls."""

    tenant: str
    principal: str
    scopes: frozenset[str]
    key: str = ""
    """The id of the API key; its own limits are in `limits`, by the fields of a registry's entry."""
    limits: Mapping[str, Any] = field(default_factory=dict)


class Unauthorized(Exception):
    """No valid credential. `reason` is for the log; the caller is told nothing but 401."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenVerifier(Protocol):
    """Checks JWTs."""

    def identity(self, token: str, now: int) -> Identity:
        """Who the token speaks for.

        Raises:
            Unauthorized: it is not valid.
        """
        ...


def credential(headers: Mapping[str, str]) -> str:
    """What a request has for an `Authorization` header, where it may have its key in `x-api-key` as well.

    Args:
        headers: with names as they were sent; of one that came twice API Gateway has the last.

    Raises:
        Unauthorized: it has none, or two that are not the same: whose word it is then, nobody knows.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    key, header = named.get("x-api-key", ""), named.get("authorization", "")
    if not key:
        return header
    if header and header.partition(" ")[2].strip() != key:
        raise Unauthorized("two_credentials")
    return header or f"Bearer {key}"


def authenticate(header: str, database: Database, now: int, verifier: Callable[[], TokenVerifier]) -> Identity:
    """Check a credential: an API key, or a JWT of a registered issuer.

    Args:
        header: the `Authorization` header, `Bearer …`.
        database: the tables.
        now: milliseconds.
        verifier: gives the verifier of JWTs; called for a JWT only, for it loads a cryptography library.

    Raises:
        Unauthorized: the credential is missing, malformed, unknown, revoked or expired.
    """
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("no_bearer_token")
    if token.startswith(PREFIX):
        return _of_key(token, database, now)
    if token.count(".") == 2:
        return verifier().identity(token, now)
    raise Unauthorized("unknown_form")


def _of_key(key: str, database: Database, now: int) -> Identity:
    if not well_formed(key):
        raise Unauthorized("malformed_key")
    item = database.get("registry", f"KEY#{key_hash(key)}", "KEY")
    if item is None:
        raise Unauthorized("unknown_key")
    if item["status"] != "active":
        raise Unauthorized("revoked_key")
    if item.get("valid_until", now + 1) <= now:
        raise Unauthorized("expired_key")
    scopes = frozenset(item["scopes"])
    return Identity(item["tenant"], item["principal"], scopes, key_id(key_hash(key)), item.get("limits", {}))
