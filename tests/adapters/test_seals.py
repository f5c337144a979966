"""Seals of KMS: what is sealed for an endpoint opens for it alone, and is asked of KMS once."""

from typing import Any

import pytest
from broker.cloud.seals import KEPT, KmsSeal
from broker.errors import CredentialRejected

from tests.adapters.conftest import Client


class Counted:
    """KMS, with a count of what is asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.asked: list[str] = []

    def encrypt(self, **request: Any) -> Any:
        self.asked.append("encrypt")
        return self._client.encrypt(**request)

    def decrypt(self, **request: Any) -> Any:
        self.asked.append("decrypt")
        return self._client.decrypt(**request)


@pytest.fixture
def kms(client: Client) -> Counted:
    return Counted(client("kms"))


@pytest.fixture
def seal(kms: Counted, client: Client) -> KmsSeal:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    return KmsSeal(lambda: kms, key)


def test_what_is_sealed_opens(seal: KmsSeal) -> None:
    sealed = seal.seal("acme", "we_1", "whsec_ä")
    assert b"whsec" not in sealed
    assert seal.open("acme", "we_1", sealed) == "whsec_ä"


@pytest.mark.parametrize(("tenant", "endpoint"), [("other", "we_1"), ("acme", "we_2"), ("acmewe_1", "")])
def test_it_opens_for_no_other_endpoint_and_no_other_tenant(seal: KmsSeal, tenant: str, endpoint: str) -> None:
    sealed = seal.seal("acme", "we_1", "whsec_1")
    seal.open("acme", "we_1", sealed)  # remembered for who it is of alone
    with pytest.raises(CredentialRejected) as failure:
        seal.open(tenant, endpoint, sealed)
    assert failure.value.code == "bad_webhook_secret"


def test_each_is_opened_once(seal: KmsSeal, kms: Counted) -> None:
    sealed = seal.seal("acme", "we_1", "whsec_1")
    for _ in range(3):
        seal.open("acme", "we_1", sealed)
    assert kms.asked == ["encrypt", "decrypt"]


def test_so_many_are_remembered_and_no_more(client: Client, kms: Counted) -> None:
    class Echo(Counted):
        def decrypt(self, **request: Any) -> Any:
            self.asked.append("decrypt")
            return {"Plaintext": request["CiphertextBlob"]}

    echo = Echo(client("kms"))
    seal = KmsSeal(lambda: echo, "key")
    for number in range(KEPT + 1):
        assert seal.open("acme", "we_1", b"%d" % number) == str(number)
    seal.open("acme", "we_1", b"%d" % KEPT)
    assert len(echo.asked) == KEPT + 1
    seal.open("acme", "we_1", b"0")
    assert len(echo.asked) == KEPT + 2
