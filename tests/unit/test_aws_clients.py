"""Clients of AWS services: many of them are little more to keep than one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.loaders import JSONFileLoader
from broker.providers.aws.client import make_client

SERVICES = ("rekognition", "translate", "bedrock-runtime")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files about services and endpoints that are read, which a process keeps from then on."""
    files: list[str] = []
    load = JSONFileLoader.load_file

    def load_file(self: JSONFileLoader, path: str) -> object:
        found = load(self, path)
        if found is not None:
            files.append(path)
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    return files


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_with_another_timeout_or_region_keeps_nothing_of_its_own(service: str, read: list[str]) -> None:
    make_client(service, "us-east-1", 60.0)
    del read[:]
    made = [make_client(service, region, 2.0**power) for region in ("us-east-1", "eu-west-1") for power in range(8)]
    assert read == []
    assert {(each.meta.region_name, each.meta.config.read_timeout) for each in made} == {
        (region, 2.0**power) for region in ("us-east-1", "eu-west-1") for power in range(8)
    }


def test_clients_are_made_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda power: make_client("polly", "us-east-1", 2.0 ** (power % 8)), range(32)))
    assert [each.meta.config.read_timeout for each in made] == [2.0 ** (power % 8) for power in range(32)]
