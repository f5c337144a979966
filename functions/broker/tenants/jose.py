"""The form of a JWT, read strictly, and which of an issuer's keys may check it (RFC 7515, 7517, 7518, 8037 and 8725).

What two programs could read in two ways is refused: base64 that is not canonical, names that come twice, numbers that
are none. A token's own keys and addresses (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt

LONGEST = 16_384
"""Characters of a token; API Gateway takes 10,240 bytes of all headers together."""

FAMILIES: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""By algorithm, the type of key and its curve. None is symmetric: a public key could be passed off as the secret."""

ALGORITHMS = tuple(FAMILIES)
USUAL = ("RS256", "ES256")
"""Taken of an issuer that names none."""

TYPES = {"jwt", "at+jwt", "application/at+jwt", "application/jwt"}
"""What `typ` may say, in lower case: a token to log out by, a proof or an event is signed by the same keys and opens
nothing (RFC 8725, section 3.11; RFC 9068)."""

MEANING_MORE = ("crit", "b64", "zip", "cty", "enc")
"""Header parameters that change what is signed, or ask to be understood; none is."""

LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
"""RFC 7518, section 3.3; above it a check takes long."""

MOST_EXPONENT = 2**32
MOST_KEYS = 200


class Malformed(Exception):
    """The token is none, or one that may be read in two ways."""


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims; the signature is not checked.

    Raises:
        Malformed: it is not of this form.
    """
    pieces = token.split(".")
    if len(token) > LONGEST or len(pieces) != 3:
        raise Malformed
    header, claims, _ = (_bytes(each) for each in pieces)
    return _object(header), _object(claims)


def _bytes(piece: str) -> bytes:
    try:
        raw = urlsafe_b64decode(piece.encode("ascii") + b"=" * (-len(piece) % 4))
    except ValueError:
        raise Malformed from None
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != piece:  # other letters, padding, or bits that are not used
        raise Malformed
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(found, dict):
        raise Malformed
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def is_understood(header: dict[str, Any]) -> bool:
    """Whether a header asks for nothing but that its signature is checked, and is of a token to call with."""
    kind = header.get("typ", "JWT")
    return isinstance(kind, str) and kind.lower() in TYPES and not any(name in header for name in MEANING_MORE)


def usable(document: Any) -> dict[str, list[dict[str, Any]]]:
    """An issuer's keys that may check signatures, by their ids."""
    keys = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, list[dict[str, Any]]] = {}
    for each in keys[:MOST_KEYS] if isinstance(keys, list) else ():
        if isinstance(each, dict) and _may_verify(each):
            found.setdefault(each["kid"], []).append(each)
    return found


def _may_verify(key: dict[str, Any]) -> bool:
    kid, operations = key.get("kid"), key.get("key_ops")
    if not isinstance(kid, str) or not kid or key.get("use", "sig") != "sig":
        return False
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return False
    return "d" not in key and any(_fits(key, algorithm) for algorithm in ALGORITHMS)


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    kind, curve = FAMILIES[algorithm]
    if key.get("kty") != kind or key.get("alg", algorithm) != algorithm or (curve and key.get("crv") != curve):
        return False
    return kind != "RSA" or _is_strong(key)


def _is_strong(key: dict[str, Any]) -> bool:
    """Whether an RSA key can neither be factored nor made to take long."""
    try:
        modulus, exponent = (int.from_bytes(_bytes(key[name]), "big") for name in ("n", "e"))
    except (Malformed, LookupError, TypeError, AttributeError):
        return False
    return (
        LEAST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS and 3 <= exponent < MOST_EXPONENT and exponent % 2 == 1
    )


def key_for(keys: list[dict[str, Any]], algorithm: str) -> jwt.PyJWK | None:
    """The key of these, which share an id, that is for an algorithm; None where none is, or where two are."""
    fitting = [each for each in keys if _fits(each, algorithm)]
    if len(fitting) != 1:
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
