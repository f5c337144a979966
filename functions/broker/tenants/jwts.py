"""JWTs of registered OIDC issuers (table `registry`, pk `ISSUER#<iss>`, sk `ISSUER`).

An issuer's item has `jwks_uri`, `audience`, `tenant` or `tenant_claim`, `scope_claim` and `status`, and perhaps the
claims of application, groups and roles. Loaded only when a JWT arrives: PyJWT and cryptography are heavy.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import jwt

from broker.permissions.who import Member
from broker.storage import Database, Item
from broker.tenants.identity import TENANT, Identity, Unauthorized

ALGORITHMS = ["RS256", "ES256"]
"""Asymmetric only: with a symmetric one, a public key could be passed off as a shared secret."""

KEEP_MS = 600_000
"""How long an issuer's keys are used without asking again."""

PAUSE_MS = 60_000
"""An unknown key id asks the issuer again, at most this often: tokens with made-up ids must not become requests."""

FAILED_PAUSE_MS = 5_000
"""An issuer that did not answer is asked again at most this often."""

LEEWAY_S = 30
LONGEST_ISSUER = 1024
"""Characters; a table's key has no room for many more."""

MOST_BYTES = 256 * 1024

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
"""What an application may be called; it stands in a table's key."""


class Verifier:
    """Checks tokens against the keys of their issuers, which it keeps in memory."""

    def __init__(self, database: Database, fetch: Callable[[str], dict[str, Any]]) -> None:
        """`fetch` gives the JWKS document of a URL."""
        self._database = database
        self._fetch = fetch
        self._kept: dict[str, tuple[int, dict[str, jwt.PyJWK]]] = {}
        self._next_ask: dict[str, int] = {}

    def identity(self, token: str, now: int) -> Identity:
        """See `TokenVerifier.identity`. Signature, issuer, audience and times are checked (RFC 8725)."""
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, RecursionError):
            raise Unauthorized("malformed_token") from None
        issuer = self._issuer(claimed.get("iss"))
        key = self._key(claimed["iss"], issuer["jwks_uri"], str(header.get("kid")), now)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=issuer["audience"],
                issuer=claimed["iss"],
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(f"token_{type(error).__name__}") from None
        return _identity(issuer, claims)

    def _issuer(self, name: Any) -> Item:
        known = isinstance(name, str) and name.isascii() and 0 < len(name) <= LONGEST_ISSUER
        item = self._database.get("registry", f"ISSUER#{name}", "ISSUER") if known else None
        if item is None or item["status"] != "active":
            raise Unauthorized("unknown_issuer")
        return item

    def _key(self, issuer: str, uri: str, kid: str, now: int) -> jwt.PyJWK:
        read_at, keys = self._kept.get(issuer, (-KEEP_MS, {}))
        stale = now - read_at >= KEEP_MS
        if (stale or kid not in keys) and now >= self._next_ask.get(issuer, now):
            self._next_ask[issuer] = now + FAILED_PAUSE_MS
            keys = self._read_keys(uri)
            self._kept[issuer] = (now, keys)
            self._next_ask[issuer] = now + PAUSE_MS
        elif stale:
            raise Unauthorized("issuer_unreachable")
        if kid not in keys:
            raise Unauthorized("unknown_signing_key")
        return keys[kid]

    def _read_keys(self, uri: str) -> dict[str, jwt.PyJWK]:
        try:
            found = jwt.PyJWKSet.from_dict(self._fetch(uri))
            return {key.key_id: key for key in found.keys if key.key_id}
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise Unauthorized("unreadable_signing_keys") from None


def _identity(issuer: Item, claims: dict[str, Any]) -> Identity:
    tenant = issuer.get("tenant") or claims.get(issuer.get("tenant_claim", ""))
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise Unauthorized("no_tenant_in_token")
    granted = claims.get(issuer["scope_claim"], "")
    scopes = granted.split() if isinstance(granted, str) else granted
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise Unauthorized("malformed_scopes")
    until = int(claims["exp"] + LEEWAY_S) * 1000
    return Identity(tenant, str(claims["sub"]), frozenset(scopes), until=until, member=_member(issuer, claims))


def _member(issuer: Item, claims: dict[str, Any]) -> Member:
    """Application, groups and roles, by the claims that the issuer's entry names; a text is one name."""
    application = claims.get(issuer.get("application_claim", ""), "")
    if not isinstance(application, str) or (application and not NAME.fullmatch(application)):
        raise Unauthorized("malformed_application")
    groups, roles = (_names(claims.get(issuer.get(f"{kind}_claim", ""), ())) for kind in ("groups", "roles"))
    return Member(application, groups, roles)


def _names(claim: Any) -> frozenset[str]:
    names = [claim] if isinstance(claim, str) else claim
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) and each.isprintable() for each in names):
        raise Unauthorized("malformed_groups")
    return frozenset(names)


def fetch_jwks(url: str, *, allow_http: bool) -> dict[str, Any]:
    """Read a JWKS document over HTTPS.

    Raises:
        Unauthorized: the issuer did not give one; the caller may try again later.
    """
    import urllib3

    if not url.startswith("https://") and not allow_http:
        raise Unauthorized("issuer_without_https")
    timeout = urllib3.Timeout(connect=2, read=3)
    try:
        with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
            reply = pool.request("GET", url, redirect=False, preload_content=False)
            body = reply.read(MOST_BYTES)
            reply.close()
    except urllib3.exceptions.HTTPError:
        raise Unauthorized("issuer_unreachable") from None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if reply.status != 200 or not isinstance(document, dict):
        raise Unauthorized("unreadable_signing_keys")
    return document
