"""Client certificates, by which a receiver knows who calls it (mutual TLS): read when they come, used at each delivery.

OpenSSL reads a key from a file alone. It is written encrypted, with a password that nobody keeps, and deleted at once.
"""

import datetime
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from broker.clock import iso
from broker.errors import InvalidRequest

MOST_CERTIFICATES = 4
"""The receiver's client's own, and those between it and who the receiver trusts."""

LEAST_RSA_BITS, MOST_RSA_BITS = 2_048, 4_096
"""What OpenSSL takes at the security level that it has unless it is told otherwise, and what is quickly checked: the
primes of 16,384 bits take half a minute of CPU time."""

MOST_KEY_BYTES = 4_000
"""As it is kept: KMS encrypts 4,096 at once. A key of RSA with 4,096 bits has some 3,270."""

CURVES = ("secp256r1", "secp384r1", "secp521r1")

CONTEXTS = 16
"""Of a process; one is some 20 ms of CPU time to make."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a client shows, and how it proves that."""

    chain: str
    """Its certificate, and those that vouch for it, as PEM."""
    key: str
    """As PEM (PKCS #8), not encrypted."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Identity({self.chain[:64]!r}…)"


@dataclass(frozen=True, slots=True)
class Known:
    """What may be shown of a certificate."""

    subject: str
    """As RFC 4514 writes it."""
    sha256: str
    """Of its DER, in hexadecimal."""
    expires_at: int
    """Milliseconds."""


def read(certificate: str, private_key: str, now: int) -> tuple[Identity, Known]:
    """A certificate and its key as they came, in PEM; what is taken here can be used at a delivery.

    Args:
        certificate: with those that vouch for it behind, the receiver's root not needed.
        private_key: of the first.
        now: milliseconds.

    Raises:
        InvalidRequest: names `certificate` or `private_key`; it never has a word of the key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        chain = x509.load_pem_x509_certificates(certificate.encode())
        public = chain[0].public_key()
        usages = [each.value for each in chain[0].extensions if each.oid == x509.OID_EXTENDED_KEY_USAGE]
    except Exception:  # whatever a parser says of what is no certificate
        raise _refused("certificate", "it has to be a certificate in PEM, with those that vouch for it") from None
    if len(chain) > MOST_CERTIFICATES:
        raise _refused("certificate", f"there are {MOST_CERTIFICATES} certificates at most")
    key = _key(private_key)
    if key.public_key() != public:
        raise _refused("private_key", "it is not the key of the first certificate")
    expires_at = int(chain[0].not_valid_after_utc.timestamp() * 1000)
    if expires_at <= now:
        raise _refused("certificate", f"it expired at {iso(expires_at)}")
    if chain[0].not_valid_before_utc > datetime.datetime.fromtimestamp(now / 1000 + 86_400, datetime.UTC):
        raise _refused("certificate", f"it is valid from {chain[0].not_valid_before_utc.isoformat()} on")
    clients = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if usages and not any(each in clients for each in usages[0]):
        raise _refused("certificate", "its extended key usage says that it is not for clients")
    plain = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
    identity = Identity(plain, _text(key))
    try:
        tls_as(identity)
    except (OSError, ValueError):
        raise _refused("certificate", "OpenSSL does not take it with its key: it may be signed by SHA-1") from None
    subject = chain[0].subject.rfc4514_string()[:256]
    return identity, Known(subject, chain[0].fingerprint(SHA256()).hex(), expires_at)


def _key(text: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key = _loaded(text, is_checked=False)
    match key:
        case rsa.RSAPrivateKey() if key.key_size < LEAST_RSA_BITS:
            raise _refused("private_key", f"a key of RSA has {LEAST_RSA_BITS} bits at least")
        case rsa.RSAPrivateKey() if key.key_size > MOST_RSA_BITS:
            raise _refused("private_key", f"it is too large; a key of RSA has {MOST_RSA_BITS:,} bits at most")
        case rsa.RSAPrivateKey():
            _check_primes(key.private_numbers())
            key = _loaded(text)
        case ec.EllipticCurvePrivateKey() if key.curve.name not in CURVES:
            raise _refused("private_key", "its curve has to be P-256, P-384 or P-521")
        case ec.EllipticCurvePrivateKey() | ed25519.Ed25519PrivateKey():
            pass
        case _:
            raise _refused("private_key", "it has to be a key of RSA, of an elliptic curve or of Ed25519")
    if len(_text(key)) > MOST_KEY_BYTES:
        raise _refused("private_key", f"it is too large; a key of RSA has {MOST_RSA_BITS:,} bits at most")
    return key


def _loaded(text: str, *, is_checked: bool = True) -> Any:
    """The key of a PEM; whether the numbers of RSA belong together is checked at last, when they are known small."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=not is_checked)
    except TypeError:
        raise _refused("private_key", "it is encrypted; it is taken without a password, and kept encrypted") from None
    except Exception:  # whatever a parser says of what is no key
        raise _refused("private_key", "it has to be a private key in PEM") from None


def _check_primes(numbers: Any) -> None:
    """Hold factors against their product: OpenSSL does so after it has looked for primes, however large they are."""
    if numbers.p * numbers.q != numbers.public_numbers.n:
        raise _refused("private_key", "it has to be a private key in PEM")


def _text(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@lru_cache(CONTEXTS)
def tls_as(identity: Identity) -> Any:
    """TLS as this client: who vouches for receivers, read once for each of so many clients.

    Raises:
        OSError: OpenSSL does not take the certificate or its key.
    """
    import ssl
    import tempfile

    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    context, password = ssl.create_default_context(), secrets.token_bytes(32).hex()
    key = load_pem_private_key(identity.key.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    with tempfile.NamedTemporaryFile() as file:  # only its owner may read it
        file.write(identity.chain.encode() + locked)
        file.flush()
        context.load_cert_chain(file.name, password=password)
    return context


def _refused(name: str, why: str) -> InvalidRequest:
    param = f"client_certificate.{name}"
    return InvalidRequest(f"{param}: {why}.", code="invalid_field", param=param)
