"""An issuer of tokens, as far as the broker asks of one: a key pair, its public half over HTTP, and signed claims.

In an account it is your identity provider, whose keys are read by https.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER, AUDIENCE = "https://login.example.com", "inference-broker"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
keys = json.dumps({"keys": [{**public, "kid": "2026-11", "alg": "RS256", "use": "sig"}]}).encode()


class Keys(BaseHTTPRequestHandler):
    """Serves the JWKS document."""

    def do_GET(self) -> None:
        """Give it."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(keys)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


server = HTTPServer(("127.0.0.1", 0), Keys)
threading.Thread(target=server.serve_forever, daemon=True).start()

# Operators register an issuer once. Here the claim `org` of its tokens names the tenant.
issuer = {
    "issuer": ISSUER,
    "jwks_uri": f"http://127.0.0.1:{server.server_address[1]}/jwks.json",
    "audience": AUDIENCE,
    "tenant_claim": "org",
}
with tempfile.TemporaryDirectory() as folder:
    document = Path(folder, "issuer.json")
    document.write_text(json.dumps({"issuers": [issuer]}))
    broker = Path(sys.executable).with_name("broker")
    subprocess.run([broker, "apply", document], check=True)  # noqa: S603 - the command beside this Python

claims = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "ada@example.com",
    "org": os.environ["BROKER_TENANT"],
    "scope": "jobs:read jobs:write models:read",
    "exp": int(time.time()) + 600,
}
token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "2026-11"})

request = urllib.request.Request(  # noqa: S310 - the base URL is yours
    f"{os.environ['BROKER_URL']}/jobs?limit=1", headers={"Authorization": f"Bearer {token}"}
)
with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
    print(f"{reply.status}: the token of {claims['sub']} opens the jobs of {claims['org']}")
