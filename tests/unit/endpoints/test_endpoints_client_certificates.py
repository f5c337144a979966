"""Client certificates of endpoints: a receiver that asks for one is shown it, and nobody is shown its key."""

import base64
import datetime
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.clock import now_ms
from broker.delivery.addresses import Target
from broker.delivery.client_certificates import Identity, read, tls_as
from broker.delivery.post import post, tls
from broker.delivery.sending import make_sender
from broker.endpoints.record import NewEndpoint, new_endpoint_id
from broker.errors import BrokerError, InvalidRequest, KeyReused, NotFound, Unavailable
from broker.jobs.head import Status
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes.world import NOW
from tests.unit.certificates import write_certificate
from tests.unit.endpoints.endpoints_case import URL, Shop
from tests.unit.provider_server import ProviderServer, Script
from tests.unit.rest_door import Door

HOST = "hooks.example.com"
DAY = datetime.timedelta(days=1)
ONE = "/webhooks/{id}"
KEYED = {"idempotency_key": "k"}


class Issuer:
    """Who vouches for clients: an authority of a test."""

    def __init__(self, name: str = "authority") -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.own = self.issue(self.key, self.name, authority=True)

    def issue(
        self, key: Any, whose: Any = None, *, ends: int = 30, begins: int = -1, authority: bool = False, use: Any = None
    ) -> str:
        """A certificate of a key, in PEM."""
        today = datetime.datetime.now(datetime.UTC)
        named = whose or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of acme")])
        made = x509.CertificateBuilder().subject_name(named).issuer_name(self.name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(today + begins * DAY)
        made = made.not_valid_after(today + ends * DAY)
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        if use:
            made = made.add_extension(x509.ExtendedKeyUsage([use]), False)
        return made.sign(self.key, hashes.SHA256()).public_bytes(forms.Encoding.PEM).decode()

    def client(self, key: Any = None, **more: Any) -> dict[str, str]:
        """A certificate and its key, as a registration has them."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        return {"certificate": self.issue(key, **more), "private_key": pem(key)}


def pem(key: Any, password: str = "") -> str:
    lock = forms.BestAvailableEncryption(password.encode()) if password else forms.NoEncryption()
    return str(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, lock).decode())


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def receiver(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProviderServer, Path]]:
    """A server that talks to clients of the issuer alone, and who vouches for it."""
    folder = tmp_path_factory.mktemp("mutual")
    own = write_certificate(folder, x509.DNSName(HOST))
    (folder / "clients.pem").write_text(issuer.own)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    context.load_verify_locations(folder / "clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with ProviderServer(context) as running:
        yield running, own


@pytest.fixture
def server(receiver: tuple[ProviderServer, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(receiver[1]))
    for each in (tls, tls_as):
        each.cache_clear()
    receiver[0].answer(Script(status=204))
    yield receiver[0]
    for each in (tls, tls_as):
        each.cache_clear()


def at(server: ProviderServer) -> Target:
    return Target("https", HOST, int(server.url.rpartition(":")[2]), "/hook", "127.0.0.1")


def identity(client: dict[str, str]) -> Identity:
    return read(**client, now=now_ms())[0]


@pytest.mark.parametrize(
    "new_key",
    [lambda: None, lambda: rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate],
    ids=["P-256", "RSA", "Ed25519"],
)
def test_a_receiver_that_asks_for_a_certificate_takes_who_shows_one(
    server: ProviderServer, issuer: Issuer, new_key: Any
) -> None:
    mine = identity(issuer.client(new_key(), use=ExtendedKeyUsageOID.CLIENT_AUTH))
    assert post(at(server), b"{}", {}, identity=mine).status == 204
    assert len(server.asked) == 1


@pytest.mark.parametrize("whose", [None, "another authority"])
def test_it_takes_nobody_else(server: ProviderServer, whose: str | None) -> None:
    theirs = identity(Issuer(whose).client()) if whose else None
    with pytest.raises(Unavailable):
        post(at(server), b"{}", {}, identity=theirs)
    assert server.asked == []


def test_a_certificate_changes_nothing_of_whom_the_broker_trusts(
    server: ProviderServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unavailable) as refused:
        post(at(server), b"{}", {}, identity=identity(issuer.client()))
    assert "SSLCertVerificationError" in refused.value.message
    assert server.asked == []


def test_those_that_vouch_for_it_go_along(server: ProviderServer, issuer: Issuer) -> None:
    between = Issuer("between")
    vouched = issuer.issue(between.key, between.name, authority=True)
    mine = between.client()
    with pytest.raises(Unavailable):
        post(at(server), b"{}", {}, identity=identity(mine))
    mine["certificate"] += vouched
    assert post(at(server), b"{}", {}, identity=identity(mine)).status == 204


def test_a_job_that_ends_is_told_as_that_client(server: ProviderServer, issuer: Issuer) -> None:
    """The whole way: registered by who may only seal, opened by who delivers, and shown to a server that asks."""
    shop = Shop()
    client = issuer.client()
    new = NewEndpoint("native", URL, ("job.succeeded",), "", client=read(**client, now=now_ms()))
    made, _ = shop.endpoints.register("acme", new, new_endpoint_id(NOW), NOW)
    assert client["private_key"].splitlines()[1] not in repr(shop.world.database.items())
    assert shop.seal.opened == []
    shop.end(status=Status.SUCCEEDED)
    assert shop.work() == ["delivered"]
    (posted,) = shop.posts
    assert posted.client and posted.client.chain == client["certificate"]
    send = make_sender(lambda tenant: [], lambda url: at(server), lambda *what: "signature", post)
    sent = send("acme", URL, "evt_1", NOW, b"{}", secrets=lambda: [], client=lambda: posted.client)
    assert (sent.status, len(server.asked)) == (204, 1)
    assert {whose for whose, _ in shop.seal.opened} == {"acme"}
    with pytest.raises(BrokerError):
        shop.seal.open("other", made.id, made.client.key if made.client else b"")


@pytest.fixture
def door() -> Door:
    return Door()


def asked(client: Any) -> str:
    return json.dumps({"url": URL, "events": ["job.*"], "client_certificate": client})


def test_an_endpoint_tells_until_when_its_certificate_is_good_and_never_the_key(door: Door, issuer: Issuer) -> None:
    client = issuer.client(ends=10)
    made = door("POST", "/webhooks", asked(client)).body
    shown = made["client_certificate"]
    assert shown["subject"] == "CN=broker of acme"
    left = datetime.datetime.fromisoformat(shown["expires_at"]) - datetime.datetime.now(datetime.UTC)
    assert 9 * DAY < left < 10 * DAY
    of_it = x509.load_pem_x509_certificate(client["certificate"].encode()).fingerprint(hashes.SHA256()).hex()
    assert shown["sha256"] == of_it
    told = [made, door("GET", "/webhooks").body, door("GET", ONE, job_id=made["id"]).body]
    secret = client["private_key"].splitlines()[1]
    assert secret not in json.dumps(told) + repr(door.world.database.items())
    assert isinstance(door.fails("GET", ONE, tenant="other", job_id=made["id"]), NotFound)


def test_it_is_changed_before_it_expires_and_taken_away_by_null(door: Door, issuer: Issuer) -> None:
    made = door("POST", "/webhooks", asked(issuer.client(ends=10))).body

    def change(**facts: Any) -> Any:
        return door("PATCH", ONE, json.dumps(facts), job_id=made["id"]).body["client_certificate"]

    assert change(description="Another") == made["client_certificate"]
    after = change(client_certificate=issuer.client(ends=90))
    assert after["expires_at"] > made["client_certificate"]["expires_at"]
    assert change(client_certificate=None) is None
    assert door("GET", ONE, job_id=made["id"]).body["client_certificate"] is None


def test_a_repeat_with_its_key_is_the_same_and_another_certificate_is_none(door: Door, issuer: Issuer) -> None:
    client = issuer.client()
    made = door("POST", "/webhooks", asked(client), **KEYED).body
    assert door("POST", "/webhooks", asked(client), **KEYED).body["id"] == made["id"]
    assert isinstance(door.fails("POST", "/webhooks", asked(issuer.client()), **KEYED), KeyReused)


P256 = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (lambda issuer: issuer.client() | {"certificate": "x"}, "certificate"),
        (lambda issuer: issuer.client() | {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n"}, "certificate"),
        (lambda issuer: issuer.client() | {"certificate": ""}, "certificate"),
        (lambda issuer: issuer.client() | {"certificate": "x" * 16_385}, "certificate"),
        (lambda issuer: issuer.client() | {"certificate": "\ud800"}, "certificate"),
        (lambda issuer: issuer.client(ends=0), "certificate"),
        (lambda issuer: issuer.client(begins=3), "certificate"),
        (lambda issuer: issuer.client(use=ExtendedKeyUsageOID.SERVER_AUTH), "certificate"),
        (lambda issuer: {**issuer.client(P256), "certificate": issuer.issue(P256) + 4 * issuer.own}, "certificate"),
        (lambda issuer: {"certificate": issuer.own, "private_key": pem(P256)}, "private_key"),
        (lambda issuer: issuer.client() | {"private_key": issuer.own}, "private_key"),
        (lambda issuer: issuer.client() | {"private_key": "x"}, "private_key"),
        (lambda issuer: issuer.client() | {"private_key": "\ud800"}, "private_key"),
        (lambda issuer: issuer.client(P256) | {"private_key": pem(P256, "word")}, "private_key"),
        (lambda issuer: issuer.client(rsa.generate_private_key(65537, 1024)), "private_key"),  # noqa: S505 - refused
        (lambda issuer: issuer.client(ec.generate_private_key(ec.SECP256K1())), "private_key"),
        (lambda issuer: {"certificate": issuer.own}, "private_key"),
        (lambda issuer: issuer.client() | {"password": "word"}, "password"),
    ],
)
def test_what_no_delivery_could_use_is_refused_by_its_name(
    door: Door, issuer: Issuer, wrong: Any, param: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = wrong(issuer)
    error = door.fails("POST", "/webhooks", asked(client))
    assert isinstance(error, InvalidRequest) and error.param == f"client_certificate.{param}"
    secret = client.get("private_key", "").splitlines()[1:2]
    assert all(each not in error.message + caplog.text for each in secret)
    mine = door("POST", "/webhooks", asked(None)).body
    changed = door.fails("PATCH", ONE, json.dumps({"client_certificate": client}), job_id=mine["id"])
    assert isinstance(changed, InvalidRequest) and changed.param == error.param


def test_an_address_without_tls_has_no_place_for_one(issuer: Issuer) -> None:
    shop = Shop()
    endpoints = shop.endpoints
    local = type(endpoints)(endpoints.database, endpoints.seal, lambda url: None)  # as in the embedded cloud
    client = read(**issuer.client(), now=now_ms())
    new = NewEndpoint("native", "http://127.0.0.1:9/", ("job.failed",), "", client=client)
    with pytest.raises(InvalidRequest) as refused:
        local.register("acme", new, new_endpoint_id(NOW), NOW)
    assert refused.value.param == "client_certificate"
    made, _ = local.register(
        "acme", NewEndpoint("native", URL, ("job.failed",), "", client=client), "we_" + "0" * 32, NOW
    )
    with pytest.raises(InvalidRequest):
        local.change("acme", made.id, NOW, url="http://127.0.0.1:9/")
    local.change("acme", made.id, NOW, url="http://127.0.0.1:9/", client=None)


def pem_of(p: int, q: int, n: int) -> str:
    """A key of RSA whose numbers nobody has looked at, as PKCS #1."""

    def der(tag: int, content: bytes) -> bytes:
        size = len(content).to_bytes(2)
        return bytes([tag, 0x82]) + size + content

    def number(value: int) -> bytes:
        return der(2, value.to_bytes(value.bit_length() // 8 + 1))

    text = base64.encodebytes(der(0x30, b"".join(map(number, (0, n, 65537, 3, p, q, 3, 3, 3))))).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----\n"


OWN = (1 << 2_100) + 1
FACTORS = {
    "a large key": ((1 << 9_600) + 1, (1 << 9_600) + 3, ((1 << 9_600) + 1) * ((1 << 9_600) + 3)),
    "large factors of a small key": ((1 << 9_600) + 1, (1 << 9_600) + 3, OWN),
}


@pytest.mark.parametrize("named", FACTORS)
def test_no_factor_is_looked_at_that_would_take_a_function_for_its_whole_life(
    issuer: Issuer, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bool] = []
    load = forms.load_pem_private_key

    def loads(data: bytes, password: None, *, unsafe_skip_rsa_key_validation: bool = False) -> Any:
        checked.append(not unsafe_skip_rsa_key_validation)
        return load(data, password, unsafe_skip_rsa_key_validation=True)

    monkeypatch.setattr(forms, "load_pem_private_key", loads)
    with pytest.raises(InvalidRequest) as refused:
        read(issuer.client()["certificate"], pem_of(*FACTORS[named]), NOW)
    assert refused.value.param == "client_certificate.private_key"
    assert checked == [False]
