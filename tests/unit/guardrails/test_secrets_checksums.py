"""Tokens with a checksum are sure when it holds, and told with a lower score when it does not."""

import base64
import random
import string
import zlib

from broker.guardrails.secrets import find_secrets

LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def base(number: int, letters: str, size: int) -> str:
    made = ""
    for _ in range(size):
        number, rest = divmod(number, len(letters))
        made = letters[rest] + made
    return made


def score(token: str) -> float:
    (span,) = find_secrets(f"it is {token} for now")
    return span.score


def body(size: int, letters: str = LETTERS) -> str:
    return "".join(random.Random(size).choices(letters, k=size))


def test_github_and_npm() -> None:
    for prefix in ("ghp", "npm"):
        told = body(30)
        assert score(f"{prefix}_{told}{base(zlib.crc32(told.encode()), LETTERS, 6)}") == 1
        assert score(f"{prefix}_{told}{base(zlib.crc32(told.encode()) ^ 1, LETTERS, 6)}") < 1


def test_grafana() -> None:
    told = "glsa_" + body(32)
    assert score(f"{told}_{zlib.crc32(told.encode()):08x}") == 1
    assert score(f"{told}_{zlib.crc32(told.encode()) ^ 1:08x}") < 1


def test_gitlab() -> None:
    told = "glpat-" + body(27) + ".0" + "1"
    letters = string.digits + string.ascii_lowercase
    assert score(told + base(zlib.crc32(told.encode()), letters, 7)) == 1
    assert score(told + base(zlib.crc32(told.encode()) ^ 1, letters, 7)) < 1


def test_pypi() -> None:
    told = base64.urlsafe_b64encode(b"\x02\x01\x08pypi.org\x02\x24" + body(60).encode()).decode().rstrip("=")
    assert told.startswith("AgEIcHlwaS5vcmc")
    assert score(f"pypi-{told}") == 1


def test_aws() -> None:
    assert score("AKIA" + body(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")) == 1
    assert score("AKIA" + body(15, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") + "0") < 1
