"""An issuer's keys and tokens, and a desk that they are shown at."""

import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import pytest
from broker.storage import Put
from broker.tenants.identity import Identity, Unauthorized
from broker.tenants.jwts import Verifier
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

ISSUER, AUDIENCE, JWKS = "https://issuer.example", "broker", "https://issuer.example/jwks"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def shown(kid: str, algorithm: str = "RS256") -> dict[str, Any]:
    """The public half of a key as issuers show it."""
    if algorithm == "RS256":
        found = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(kid).public_key())
    else:
        found = jwt.algorithms.ECAlgorithm.to_jwk(ec_key(kid).public_key())
    return json.loads(found) | {"kid": kid, "use": "sig"}


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "org": "acme", "scope": "jobs:read", "exp": now + 600}
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def token(kid: str = "one", algorithm: str = "RS256", **changes: Any) -> str:
    key: Any = rsa_key(kid) if algorithm == "RS256" else ec_key(kid)
    return jwt.PyJWS().encode(json.dumps(claims(**changes)).encode(), key, algorithm, headers={"kid": kid})


@dataclass
class Desk:
    """A verifier, a registry with one issuer, and that issuer's keys; `asked` are the addresses that were read."""

    document: Any = field(default_factory=lambda: {"keys": [shown("one"), shown("two", "ES256")]})
    asked: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        item = {"pk": f"ISSUER#{ISSUER}", "sk": "ISSUER", "status": "active", "jwks_uri": JWKS, "audience": AUDIENCE}
        database = FakeDatabase()
        database.write(Put("registry", item | {"tenant_claim": "org", "scope_claim": "scope"} | self.settings))
        self.verifier = Verifier(database, self._fetch)

    def _fetch(self, url: str) -> Any:
        self.asked.append(url)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document

    def __call__(self, given: str, now: int = NOW) -> Identity:
        return self.verifier.identity(given, now)

    def refuses(self, given: str, now: int = NOW) -> str:
        with pytest.raises(Unauthorized) as failure:
            self(given, now)
        return failure.value.reason
