"""An OIDC issuer for tests: one key pair, a JWKS document over HTTP, and tokens of any claims."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.registered import AUDIENCE, ISSUER


class Issuer:
    """Use as a context manager."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        shown = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        document = json.dumps({"keys": [shown | {"kid": "one", "alg": "RS256", "use": "sig"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def jwks_url(self) -> str:
        """Where its keys are."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/jwks"

    def token(self, *, kid: str = "one", **claims: Any) -> str:
        """A token of the tenant `tokens` with all job scopes, unless the claims say otherwise."""
        now = int(time.time())
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "someone",
            "org": "tokens",
            "scope": "jobs:read jobs:write",
            "exp": now + 600,
        }
        return jwt.encode(usual | claims, self._key, algorithm="RS256", headers={"kid": kid})

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
