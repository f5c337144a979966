"""JWTs of registered OIDC issuers (table `registry`, pk `ISSUER#<iss>`, sk `ISSUER`).

An issuer's item has `jwks_uri`, `audience`, `tenant` or `tenant_claim`, `scope_claim` and `status`, and perhaps
`audience_claim`, `scope_prefix`, `algorithms`, `longest_seconds`, and the claims of application, groups and roles.
Loaded only when a JWT arrives: PyJWT and cryptography are heavy.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt

from broker.permissions.who import Member
from broker.storage import Database, Item
from broker.tenants.identity import TENANT, Identity, Unauthorized
from broker.tenants.jose import FAMILIES, USUAL, Malformed, is_understood, key_for, parts, usable

KEEP_MS = 600_000
"""How long an issuer's keys are used without asking again."""

PAUSE_MS = 60_000
"""An unknown key id asks the issuer again, at most this often: tokens with made-up ids must not become requests."""

FAILED_PAUSE_MS = 5_000
"""An issuer that did not answer is asked again at most this often."""

LEEWAY_S = 30

LONGEST_S = 86_400
"""How long a token may live of an issuer whose entry says nothing: one that was stolen is good for no longer."""

LONGEST_SUBJECT = 255
"""Characters (OpenID Connect Core 1.0, section 2)."""

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
        self._kept: dict[str, tuple[int, dict[str, list[dict[str, Any]]]]] = {}
        self._next_ask: dict[str, int] = {}

    def identity(self, token: str, now: int) -> Identity:
        """See `TokenVerifier.identity`. Signature, issuer, audience and times are checked (RFC 8725)."""
        try:
            header, claimed = parts(token)
        except Malformed:
            raise Unauthorized("malformed_token") from None
        issuer = self._issuer(claimed.get("iss"))
        if not is_understood(header):
            raise Unauthorized("other_kind_of_token")
        algorithm = str(header.get("alg"))
        if algorithm not in FAMILIES or algorithm not in issuer.get("algorithms", USUAL):
            raise Unauthorized("token_InvalidAlgorithmError")
        if not all(_is_time(claimed[name]) for name in ("exp", "nbf", "iat") if name in claimed):
            raise Unauthorized("malformed_times")
        key = self._key(claimed["iss"], issuer["jwks_uri"], header.get("kid"), algorithm, now)
        by_client = issuer.get("audience_claim") == "client_id"
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=None if by_client else issuer["audience"],
                issuer=claimed["iss"],
                leeway=LEEWAY_S,
                options={
                    "require": ["exp", "iss", "client_id" if by_client else "aud", "sub"],
                    "verify_aud": not by_client,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorized(f"token_{type(error).__name__}") from None
        if by_client and not _is_access_of(issuer["audience"], claims):
            raise Unauthorized("token_InvalidAudienceError")
        if claims["exp"] - claims.get("iat", time.time()) > issuer.get("longest_seconds", LONGEST_S) + LEEWAY_S:
            raise Unauthorized("token_lives_too_long")
        return _identity(issuer, claims)

    def _issuer(self, name: Any) -> Item:
        known = isinstance(name, str) and name.isascii() and 0 < len(name) <= LONGEST_ISSUER
        item = self._database.get("registry", f"ISSUER#{name}", "ISSUER") if known else None
        if item is None or item["status"] != "active":
            raise Unauthorized("unknown_issuer")
        return item

    def _key(self, issuer: str, uri: str, kid: Any, algorithm: str, now: int) -> jwt.PyJWK:
        if not isinstance(kid, str):
            raise Unauthorized("unknown_signing_key")
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
        found = key_for(keys[kid], algorithm)
        if found is None:
            raise Unauthorized("token_InvalidAlgorithmError")
        return found

    def _read_keys(self, uri: str) -> dict[str, list[dict[str, Any]]]:
        found = usable(self._fetch(uri))
        if not found:
            raise Unauthorized("unreadable_signing_keys")
        return found


def _is_time(value: Any) -> bool:
    """Whether a claim is a number of seconds (RFC 7519, NumericDate) that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_access_of(client: str, claims: dict[str, Any]) -> bool:
    """True for an access token of a client (Amazon Cognito developer guide, "Understanding the access token")."""
    return claims["client_id"] == client and claims.get("token_use") == "access"


def _identity(issuer: Item, claims: dict[str, Any]) -> Identity:
    tenant = issuer.get("tenant") or claims.get(issuer.get("tenant_claim", ""))
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise Unauthorized("no_tenant_in_token")
    granted = claims.get(issuer["scope_claim"], "")
    scopes = granted.split() if isinstance(granted, str) else granted
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise Unauthorized("malformed_scopes")
    subject = claims["sub"]
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthorized("malformed_subject")
    until = int(claims["exp"] + LEEWAY_S) * 1000
    prefix = issuer.get("scope_prefix", "")
    ours = frozenset(each.removeprefix(prefix) for each in scopes if each.startswith(prefix))
    return Identity(tenant, subject, ours, until=until, member=_member(issuer, claims))


def _member(issuer: Item, claims: dict[str, Any]) -> Member:
    """Application, groups and roles, by the claims that the issuer's entry names; a text is one name."""
    application = _claim(issuer, claims, "application", "")
    if not isinstance(application, str) or (application and not NAME.fullmatch(application)):
        raise Unauthorized("malformed_application")
    groups, roles = (_names(_claim(issuer, claims, kind, ())) for kind in ("groups", "roles"))
    return Member(application, groups, roles)


def _claim(issuer: Item, claims: dict[str, Any], kind: str, missing: Any) -> Any:
    """What a token says of a kind, where its issuer may: no claim is read that the entry does not name."""
    name = issuer.get(f"{kind}_claim")
    return claims.get(name, missing) if name else missing


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
