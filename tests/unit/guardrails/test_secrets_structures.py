"""Keys, tokens and addresses that show by their structure that they are secret, or hold one."""

import base64
import json
import random
import string

import pytest
from broker.guardrails.secrets import find_secrets

CHOSEN = random.Random(7)
LETTERS = string.ascii_letters + string.digits


def made(size: int, letters: str = LETTERS) -> str:
    return "".join(CHOSEN.choices(letters, k=size))


def spans(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.begin : span.end]) for span in find_secrets(text)]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("name", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_a_pem_block_is_told_whole(name: str) -> None:
    block = f"-----BEGIN {name}-----\n" + "\n".join(made(64) for _ in range(9)) + f"\n-----END {name}-----"
    assert spans(f"here:\n{block}\nthere") == [("private_key", block)]
    quoted = block.replace("\n", "\\n")
    assert spans(f'{{"private_key": "{quoted}"}}') == [("private_key", quoted)]


def test_a_block_without_its_end_is_told_and_a_certificate_is_not() -> None:
    assert spans("-----BEGIN EC PRIVATE KEY-----\n" + made(64))[0][0] == "private_key"
    assert not spans("-----BEGIN CERTIFICATE-----\n" + made(64) + "\n-----END CERTIFICATE-----")
    assert not spans('text.startswith("-----BEGIN RSA PRIVATE KEY-----") or text == ""')


def test_a_block_in_base64() -> None:
    block = base64.b64encode(f"-----BEGIN PRIVATE KEY-----\n{made(300)}".encode()).decode()
    assert spans(f"tls.key: {block}") == [("private_key", block)]


def test_putty() -> None:
    lines = "\r\n".join(made(64) for _ in range(3))
    text = f"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nPrivate-Lines: 3\r\n{lines}\r\n"
    assert spans(text)[0][0] == "private_key"


def test_a_jwk_is_secret_by_its_d() -> None:
    d = made(43)
    key = {"kty": "EC", "crv": "P-256", "x": "abc", "y": "def", "d": d}
    assert ("private_key", d) in spans(json.dumps(key))
    assert not spans(json.dumps({"d": "M10 10 H 90 V 90 H 10 Z"}))


def test_a_jwt_has_a_header() -> None:
    token = ".".join((encoded({"alg": "HS256", "typ": "JWT"}), encoded({"sub": "somebody"}), made(43)))
    assert spans(f"use {token}, please") == [("jwt", token)]
    assert not spans(".".join((encoded({"color": "green"}), encoded({"sub": "somebody"}), "a" * 43)))


@pytest.mark.parametrize("scheme", ["https", "postgresql", "redis", "mongodb+srv", "amqps", "ftp", "custom"])
def test_the_password_of_an_address(scheme: str) -> None:
    assert spans(f"see {scheme}://deploy:Tr4vel-{'mug'}@db.internal:5432/shop") == [("url_password", "Tr4vel-mug")]


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org:8443/@scope/package",
        "https://${USER}:${PASSWORD}@db.internal/",
        "https://user:<password>@db.internal/",
        "https://user:****@db.internal/",
        "https://user:password@localhost/",
        "http://[::1]:8080/a@b",
    ],
)
def test_an_address_without_a_password(address: str) -> None:
    assert not spans(address)


def test_connection_strings() -> None:
    text = "Server=tcp:db.internal,1433;Database=shop;User ID=app;Password=orchard;Encrypt=true;"
    assert spans(text) == [("connection_string", "orchard")]
    assert not spans("Server=db;Database=shop;User ID=app;Password={0};")


def test_signed_addresses() -> None:
    signature = made(43) + "%3D"
    assert spans(f"https://a.blob.core.windows.net/c?sv=2024-01-01&sig={signature}") == [("signed_url", signature)]
    signature = made(64, "0123456789abcdef")
    assert spans(f"https://b.s3.amazonaws.com/o?X-Amz-Signature={signature}&X-Amz-Date=1") == [
        ("signed_url", signature)
    ]


def test_headers_and_cookies() -> None:
    value = base64.b64encode(b"deploy:orchard").decode()
    assert spans(f"Authorization: Basic {value}") == [("authorization_header", value)]
    value = made(40)
    assert spans(f"curl -H 'Authorization: Bearer {value}' https://x.internal") == [("authorization_header", value)]
    assert spans(f"Cookie: lang=en; PHPSESSID={value}") == [("session_cookie", value)]
    assert not spans("Authorization: Bearer <token>")


def test_commands_and_constructors() -> None:
    assert spans("curl -s -u deploy:Orch4rd https://x.internal") == [("password", "Orch4rd")]
    assert spans(r"psexec \\host -u admin -p orchard cmd") == [("password", "orchard")]
    assert spans('new NetworkCredential("deploy", "orchard")') == [("password", "orchard")]
    assert not spans("docker run -u 1000:1000 -p 8080:80 image")


def test_files_that_hold_credentials() -> None:
    assert spans("machine git.internal login deploy password orchard") == [("netrc_password", "orchard")]
    assert not spans("machine HOSTNAME login USERID password PASSWORD")
    assert spans("db.internal:5432:shop:deploy:orchard\n") == [("pgpass_password", "orchard")]
    assert spans("//registry.internal/:_authToken=" + (value := made(36))) == [("npmrc_auth_token", value)]
    value = base64.b64encode(b"deploy:orchardgate").decode()
    assert spans(json.dumps({"auths": {"registry.internal": {"auth": value}}})) == [("secret_value", value)]
    assert spans("define( 'DB_PASSWORD', 'Tr4vel" + "!mug' );") == [("password", "Tr4vel!mug")]
    salt = "".join(CHOSEN.choices(LETTERS + "!@#$%^&*()-_=+ ", k=64)).strip()
    assert spans(f"define('AUTH_KEY', '{salt}');") == [("secret_value", salt)]
