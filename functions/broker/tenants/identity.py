"""Identity: from an `Authorization` header to a tenant, a principal and scopes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from broker.permissions.who import NOBODY, Member
from broker.storage import Database, Item
from broker.tenants.api_keys import PREFIX, key_hash, key_id, well_formed
from broker.tenants.applications import find_application, member_of

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
    digest: str = field(default="", compare=False)
    """The hash of the API key, by which it is looked up again; empty for a token."""
    until: int | None = field(default=None, compare=False)
    """When the token ends, in milliseconds; None for a key."""
    member: Member = NOBODY
    """Its application, groups and roles."""


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


PROTOCOL, BEARER = "broker.v1", "bearer."
"""The subprotocol of push, and how a credential begins that is offered beside it."""


def protocols(headers: Mapping[str, str]) -> list[str]:
    """The subprotocols that a WebSocket's handshake offers (RFC 6455, section 4.1)."""
    offered = [value for name, value in headers.items() if name.lower() == "sec-websocket-protocol"]
    return [each.strip() for each in ",".join(offered).split(",") if each.strip()]


def credential_of_handshake(headers: Mapping[str, str]) -> str:
    """The same of a WebSocket's handshake: pages of browsers can send no header of their own but subprotocols.

    Raises:
        Unauthorized: as `credential`; a subprotocol is one more place.
    """
    header = credential(headers)
    tokens = [each.removeprefix(BEARER) for each in protocols(headers) if each.startswith(BEARER)]
    told = {*tokens, *([header.partition(" ")[2].strip()] if header else [])}
    if len(told) > 1:
        raise Unauthorized("two_credentials")
    return header or "".join(f"Bearer {each}" for each in tokens[:1])


def is_good(database: Database, digest: str, now: int) -> bool:
    """Whether the API key with a hash opens anything now."""
    item = database.get("registry", f"KEY#{digest}", "KEY")
    if item is None or _fault(item, now) is not None:
        return False
    application = item.get("application")
    return application is None or find_application(database, item["tenant"], application) is not None


def authenticate(header: str, database: Database, now: int, verifier: Callable[[], TokenVerifier]) -> Identity:
    """Check a credential: an API key, or a JWT of a registered issuer.

    Args:
        header: the `Authorization` header, `Bearer …`.
        database: the tables.
        now: milliseconds.
        verifier: gives the verifier of JWTs; called for a JWT only, for it loads a cryptography library.

    Raises:
        Unauthorized: the credential is missing, malformed, unknown, revoked or expired, or its application is not in
            use.
    """
    return _within_application(_known(header, database, now, verifier), database)


def _known(header: str, database: Database, now: int, verifier: Callable[[], TokenVerifier]) -> Identity:
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
    digest = key_hash(key)
    item = database.get("registry", f"KEY#{digest}", "KEY")
    if item is None:
        raise Unauthorized("unknown_key")
    if fault := _fault(item, now):
        raise Unauthorized(fault)
    scopes = frozenset(item["scopes"])
    member = Member(item.get("application", ""))
    known = item["tenant"], item["principal"], scopes, key_id(digest), item.get("limits", {}), digest
    return Identity(*known, member=member)


def _within_application(identity: Identity, database: Database) -> Identity:
    """The same, in the groups and roles of its application as well."""
    member = identity.member
    if member.application:
        item = find_application(database, identity.tenant, member.application)
        if item is None:
            raise Unauthorized("unknown_application")
        of_application = member_of(item)
        member = member.joined(of_application.groups, of_application.roles)
    if member.is_too_much:
        raise Unauthorized("too_many_groups")
    return replace(identity, member=member)


def _fault(item: Item, now: int) -> str | None:
    """Why a key that is known opens nothing; None for one that does."""
    if item["status"] != "active":
        return "revoked_key"
    return "expired_key" if item.get("valid_until", now + 1) <= now else None
