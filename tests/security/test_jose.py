"""What is known of attacks on JWTs and JWS (RFC 8725, 7515 to 7518, and the cases of Wycheproof, in our own words)."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import jwt
import pytest
from broker.registry.tenants import Algorithm
from broker.tenants.jose import ALGORITHMS, LEAST_RSA_BITS, LONGEST, MEANING_MORE, MOST_RSA_BITS, TYPES
from broker.tenants.jwts import LONGEST_S
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from tests.security.token_case import Desk, claims, ec_key, part, rsa_key, shown, token

P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of its group (FIPS 186-5)."""


@cache
def key_of(algorithm: str) -> Any:
    """A private key for an algorithm."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if algorithm in curves:
        return ec.generate_private_key(curves[algorithm])
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa_key("one")


def jwk_of(algorithm: str, **more: Any) -> dict[str, Any]:
    kinds = {"E": jwt.algorithms.ECAlgorithm, "O": jwt.algorithms.OKPAlgorithm, "R": jwt.algorithms.RSAAlgorithm}
    kind: Any = kinds["O" if algorithm == "EdDSA" else "E" if algorithm.startswith("E") else "R"]
    made = {"kid": "k", "use": "sig"} | json.loads(kind.to_jwk(key_of(algorithm).public_key())) | more
    return {name: value for name, value in made.items() if value is not ...}


def signed(algorithm: str, header: dict[str, Any] | None = None, **changes: Any) -> str:
    headers = {"kid": "k"} | (header or {})
    return jwt.PyJWS().encode(json.dumps(claims(**changes)).encode(), key_of(algorithm), algorithm, headers=headers)


def desk(algorithm: str, allowed: list[str] | None = None, **more: Any) -> Desk:
    return Desk({"keys": [jwk_of(algorithm, **more)]}, settings={"algorithms": allowed or [algorithm]})


def raw(header: dict[str, Any] | bytes, payload: Any = None, signature: bytes = b"x") -> str:
    return f"{part(header)}.{part(claims() if payload is None else payload)}.{part(signature)}"


def test_the_registry_takes_the_algorithms_that_there_are() -> None:
    assert get_args(Algorithm) == ALGORITHMS
    assert not {"none", "HS256", "HS384", "HS512"} & set(ALGORITHMS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_by_an_algorithm_of_its_issuer_is_taken_and_by_no_other(algorithm: str) -> None:
    assert desk(algorithm)(signed(algorithm)).tenant == "acme"
    others = [each for each in ALGORITHMS if each != algorithm]
    assert desk(algorithm, others).refuses(signed(algorithm)) == "token_InvalidAlgorithmError"


@pytest.mark.parametrize("algorithm", sorted({*ALGORITHMS} - {"RS256", "ES256"}))
def test_an_issuer_that_names_none_has_two(algorithm: str) -> None:
    found = Desk({"keys": [jwk_of(algorithm)]})
    assert found.refuses(signed(algorithm)) == "token_InvalidAlgorithmError"


@pytest.mark.parametrize("spelled", ["none", "None", "NONE", "nOnE", "none ", "", " ", "null"])
def test_no_spelling_of_none_is_taken(spelled: str) -> None:
    for signature in (b"", b"x"):
        assert Desk().refuses(raw({"alg": spelled, "kid": "one"}, signature=signature)).startswith("token_")


@pytest.mark.parametrize("alg", [None, 5, True, ["RS256"], {"RS256": 1}])
def test_an_algorithm_is_a_word(alg: Any) -> None:
    assert Desk().refuses(raw({"alg": alg, "kid": "one"})) == "token_InvalidAlgorithmError"
    assert Desk().refuses(raw({"kid": "one"})) == "token_InvalidAlgorithmError"


@pytest.mark.parametrize("named", ["HS256", "HS384", "HS512"])
def test_no_form_of_a_public_key_is_a_secret(named: str) -> None:
    jwk = json.dumps(shown("one")).encode()
    for secret in (jwk, shown("one")["n"].encode(), b"", b"\0" * 32):
        text = f"{part({'alg': named, 'kid': 'one'})}.{part(claims())}"
        mac = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{named[2:]}")).digest()
        for allowed in (["RS256"], ["RS256", named]):  # even where an entry named it, there is no key for it
            found = Desk(settings={"algorithms": allowed})
            assert found.refuses(f"{text}.{part(mac)}") == "token_InvalidAlgorithmError"


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "/etc/passwd", "' OR 1=1 --", "one; rm -rf /", "one\0", " one", "ONE", "x" * 9000, "", "http://evil.example/k",
     "${jndi:ldap://evil}", "\u202eeno"],
)  # fmt: skip
def test_a_key_id_is_looked_up_and_nothing_else(kid: str) -> None:
    found = Desk()
    assert found.refuses(signed("RS256", {"kid": kid})) == "unknown_signing_key"
    assert set(found.asked) == {"https://issuer.example/jwks"}, "no address but the registered one is asked"


@pytest.mark.parametrize("kid", [None, 5, True, ["one"], {"one": 1}])
def test_a_key_id_is_a_text(kid: Any) -> None:
    assert Desk().refuses(raw({"alg": "RS256", "kid": kid})) == "unknown_signing_key"


@pytest.mark.parametrize("place", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_a_token_brings_no_key_of_its_own(place: str) -> None:
    evil = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key("evil").public_key(), as_dict=True)
    brought: Any = {"jwk": evil, "x5c": ["MIIB"]}.get(place, "https://evil.example/keys")
    found = Desk()
    headers = {"kid": "one", place: brought}
    given = jwt.encode(claims(), rsa_key("evil"), algorithm="RS256", headers=headers)
    assert found.refuses(given) == "token_InvalidSignatureError"
    assert found.asked == ["https://issuer.example/jwks"]


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"b64": True}, {"zip": "DEF"},
     {"cty": "JWT"}, {"enc": "A256GCM"}, {"crit": None}],
)  # fmt: skip
def test_a_header_that_asks_for_more_is_refused(header: dict[str, Any]) -> None:
    assert set(header) & set(MEANING_MORE)
    head = {"alg": "RS256", "kid": "one", "typ": "JWT"} | header
    text = f"{part(head)}.{part(claims())}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(text.encode(), rsa_key("one"))
    assert Desk().refuses(f"{text}.{part(signature)}") == "other_kind_of_token"


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "JOSE+JSON", "", 5, None, ["JWT"]])
def test_a_token_of_another_kind_opens_nothing(typ: Any) -> None:
    text = f"{part({'alg': 'RS256', 'kid': 'one', 'typ': typ})}.{part(claims())}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(text.encode(), rsa_key("one"))
    assert Desk().refuses(f"{text}.{part(signature)}") == "other_kind_of_token"


@pytest.mark.parametrize("typ", sorted(TYPES | {"JWT", "at+JWT"}))
def test_a_token_to_call_with_is_taken(typ: str) -> None:
    assert desk("RS256")(signed("RS256", {"typ": typ})).tenant == "acme"


def altered_ec(change: Callable[[int, int], bytes]) -> str:
    """A token by ES256 whose signature is made anew of its two numbers."""
    head, body, signature = signed("ES256").split(".")
    both = jwt.utils.base64url_decode(signature)
    r, s = int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big")
    return f"{head}.{body}.{part(change(r, s))}"


def two(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@pytest.mark.parametrize(
    "change",
    [
        lambda r, s: two(0, 0),
        lambda r, s: two(0, s),
        lambda r, s: two(r, 0),
        lambda r, s: two(P256, s),
        lambda r, s: two(r, P256),
        lambda r, s: two(1, 1),
        lambda r, s: two(s, r),
        lambda r, s: two(r, s, 33),
        lambda r, s: two(r, s, 48),
        lambda r, s: two(r, s)[:-1],
        lambda r, s: two(r, s) + b"\0",
        lambda r, s: b"",
        lambda r, s: encode_dss_signature(r, s),
        lambda r, s: b"\xff" * 64,
    ],
    ids=["zeros", "r=0", "s=0", "r=n", "s=n", "ones", "swapped", "33", "48", "cut", "trailing", "empty", "der", "ff"],
)
def test_a_signature_by_a_curve_is_two_numbers_in_their_range(change: Callable[[int, int], bytes]) -> None:
    assert decode_dss_signature(encode_dss_signature(1, 2)) == (1, 2)
    assert desk("ES256").refuses(altered_ec(change)).startswith("token_")
    assert desk("ES256")(altered_ec(lambda r, s: two(r, s))).tenant == "acme", "the same, unchanged"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
@pytest.mark.parametrize("how", ["cut", "trailing", "leading", "empty", "zeros", "flipped"])
def test_no_other_signature_is_changed(algorithm: str, how: str) -> None:
    head, body, signature = signed(algorithm).split(".")
    was = jwt.utils.base64url_decode(signature)
    changed = {
        "cut": was[:-1],
        "trailing": was + b"\0",
        "leading": b"\0" + was,
        "empty": b"",
        "zeros": bytes(len(was)),
        "flipped": bytes([was[0] ^ 1]) + was[1:],
    }[how]
    assert desk(algorithm).refuses(f"{head}.{body}.{part(changed)}").startswith("token_")


def test_what_was_signed_by_one_scheme_of_rsa_is_not_passed_off_as_the_other() -> None:
    for made, told in (("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512")):
        _, body, signature = signed(made).split(".")
        given = f"{part({'alg': told, 'kid': 'k'})}.{body}.{signature}"
        assert desk("RS256", list(ALGORITHMS)).refuses(given) == "token_InvalidSignatureError"


def reencoded(piece: str, how: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    loose = letters[letters.index(piece[-1]) ^ 1]
    return {
        "padded": piece + "=" * (-len(piece) % 4 or 4),
        "blank": piece[:5] + " " + piece[5:],
        "line": piece[:5] + "\n" + piece[5:],
        "plus": piece + "+",
        "one more": piece + "A" * (1 + -len(piece) % 4),
        "loose bits": piece[:-1] + loose if len(piece) % 4 else piece + "=",
    }[how]


@pytest.mark.parametrize("how", ["padded", "blank", "line", "plus", "one more", "loose bits"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_base64_is_written_in_one_way(place: int, how: str) -> None:
    pieces = signed("ES256").split(".")
    pieces[place] = reencoded(pieces[place], how)
    assert desk("ES256").refuses(".".join(pieces)) == "malformed_token"


@pytest.mark.parametrize(
    "header",
    [b'{"alg":"RS256","alg":"none","kid":"one"}', b'{"alg":"none","alg":"RS256","kid":"one"}', b'\xff\xfe{}',
     b'{"alg":"RS256","kid":"one","kid":"two"}', b"[]", b"null", b'"RS256"', b"{" * 9000, b'{"alg":NaN}',
     b"\xef\xbb\xbf{}"],
)  # fmt: skip
def test_a_header_is_one_object_that_all_read_alike(header: bytes) -> None:
    assert Desk().refuses(raw(header)) == "malformed_token"


@pytest.mark.parametrize(
    "payload", [b'{"iss":"a","iss":"b"}', b"[]", b"5", b'{"exp":Infinity}', b'{"exp":NaN}', b"[" * 9000, b"\xff"]
)
def test_claims_are_one_object_that_all_read_alike(payload: bytes) -> None:
    assert Desk().refuses(raw({"alg": "RS256", "kid": "one"}, payload)) == "malformed_token"


def test_neither_a_jwe_nor_the_json_form_nor_a_nested_token_is_taken() -> None:
    whole = token()
    for given in (f"{whole}.a.b", f"{whole}.", whole.rsplit(".", 1)[0], json.dumps({"payload": "x"}), f".{whole}"):
        assert Desk().refuses(given) == "malformed_token"
    assert Desk().refuses(raw({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "one"})) == "other_kind_of_token"
    nested = jwt.PyJWS().encode(whole.encode(), rsa_key("one"), "RS256", headers={"kid": "one", "cty": "JWT"})
    assert Desk().refuses(nested) == "malformed_token"
    assert Desk().refuses("x" * LONGEST + ".e30.x") == "malformed_token"


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"use": ""}, {"use": None}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"}, {"key_ops": []},
     {"alg": "RSA-OAEP"}, {"alg": "HS256"}, {"d": "AQAB"}, {"kty": "EC"}, {"kty": "oct"}, {"kty": None}, {"n": "AQAB"},
     {"e": "AQ"}, {"e": "AA"}, {"e": "Ag"}, {"e": "_____________w"}, {"n": None}, {"kid": ""}, {"kid": ...}],
)  # fmt: skip
def test_a_key_that_is_for_something_else_or_weak_checks_nothing(more: dict[str, Any]) -> None:
    assert desk("RS256", **more).refuses(signed("RS256")) == "unreadable_signing_keys"


@pytest.mark.parametrize("bits", [1024, LEAST_RSA_BITS - 8])
def test_a_short_key_of_rsa_checks_nothing(bits: int) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    shown_key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key())) | {"kid": "k"}
    text = f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims())}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(text.encode(), short)
    assert Desk({"keys": [shown_key]}).refuses(f"{text}.{part(signature)}") == "unreadable_signing_keys"


def test_a_key_that_would_take_long_checks_nothing() -> None:
    huge = {
        "kid": "k",
        "kty": "RSA",
        "n": part((1 << MOST_RSA_BITS).to_bytes(MOST_RSA_BITS // 8 + 1, "big")),
        "e": "AQAB",
    }
    assert Desk({"keys": [huge]}).refuses(signed("RS256")) == "unreadable_signing_keys"


@pytest.mark.parametrize("curve", ["P-384", "P-256K", "secp256k1", "Ed25519", ""])
def test_a_key_of_another_curve_is_for_another_algorithm(curve: str) -> None:
    reason = desk("ES256", ["ES256"], crv=curve).refuses(signed("ES256"))
    assert reason in ("unreadable_signing_keys", "token_InvalidAlgorithmError")


def test_a_point_that_is_not_on_the_curve_checks_nothing() -> None:
    found = jwk_of("ES256")
    assert Desk({"keys": [found | {"x": found["y"]}]}).refuses(signed("ES256")) == "token_InvalidAlgorithmError"
    zeros = part(bytes(32))
    assert Desk({"keys": [found | {"x": zeros, "y": zeros}]}).refuses(signed("ES256")) == "token_InvalidAlgorithmError"


def test_one_id_may_name_a_key_of_each_kind_and_no_two_of_one() -> None:
    both = {"keys": [jwk_of("RS256"), jwk_of("ES256")]}
    assert [Desk(both)(signed(each)).tenant for each in ("RS256", "ES256")] == ["acme", "acme"]
    stranger = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec_key("other").public_key())) | {"kid": "k"}
    assert Desk({"keys": [jwk_of("ES256"), stranger]}).refuses(signed("ES256")) == "token_InvalidAlgorithmError"


def test_a_token_lives_no_longer_than_it_may() -> None:
    now = int(time.time())
    assert Desk().refuses(token(exp=now + LONGEST_S + 300)) == "token_lives_too_long"
    assert Desk().refuses(token(exp=now + 600, iat=now - LONGEST_S)) == "token_lives_too_long"
    assert Desk()(token(exp=now + LONGEST_S - 300)).tenant == "acme"
    short = Desk(settings={"longest_seconds": 300})
    assert short.refuses(token(exp=now + 600)) == "token_lives_too_long"
    assert short(token(exp=now + 240)).tenant == "acme"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["4000000000", True, None, [], {}, -1, 2**60, 1e300])
def test_a_time_is_a_number_of_seconds(name: str, value: Any) -> None:
    assert Desk().refuses(token(**{name: value})) == "malformed_times"


@pytest.mark.parametrize("subject", ["", "a\nb", "a\0", "x" * 256, "\u202eadmin"])
def test_a_subject_is_a_name_that_can_be_shown(subject: str) -> None:
    assert Desk().refuses(token(sub=subject)) == "malformed_subject"
