"""Secrets: by short name, several during a rotation, remembered for five minutes."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from broker.cloud.secrets import Secrets
from broker.errors import CredentialRejected

from tests.adapters.conftest import Client
from tests.fakes.world import MINUTE, NOW


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def manager(client: Client) -> Any:
    made = client("secretsmanager")
    made.create_secret(Name="stack/openai", SecretString="old")
    return made


def test_reads_below_the_prefix(manager: Any) -> None:
    manager.create_secret(Name="openai", SecretString="of another stack")
    assert Secrets(manager, "stack/").get("openai") == "old"


def test_a_rotated_secret_shows_after_five_minutes(manager: Any) -> None:
    clock = Clock()
    secrets = Secrets(manager, "stack/", clock)
    assert secrets.get("openai") == "old"
    manager.put_secret_value(SecretId="stack/openai", SecretString="new")
    clock.now += 5 * MINUTE - 1
    assert secrets.get("openai") == "old"
    clock.now += 1
    assert secrets.get("openai") == "new"


def test_a_missing_secret_is_an_error_and_is_not_remembered(manager: Any) -> None:
    secrets = Secrets(manager, "stack/", Clock())
    with pytest.raises(CredentialRejected) as failure:
        secrets.get("anthropic")
    assert failure.value.code == "no_secret"
    manager.create_secret(Name="stack/anthropic", SecretString="there now")
    assert secrets.get("anthropic") == "there now"


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("whsec_one", ["whsec_one"]),
        (json.dumps(["whsec_new", "whsec_old"]), ["whsec_new", "whsec_old"]),
        (json.dumps(["whsec_one"]), ["whsec_one"]),
    ],
)
def test_several_during_a_rotation(manager: Any, text: str, several: list[str]) -> None:
    manager.create_secret(Name="stack/hook", SecretString=text)
    assert Secrets(manager, "stack/").get_list("hook") == several
