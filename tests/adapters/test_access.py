"""Where AWS is and who calls it: as botocore finds it, or left to botocore."""

from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.httpsession import DEFAULT_CA_BUNDLE
from broker.cloud.access import access
from broker.cloud.operations import SERVICES, Service

from tests.adapters.conftest import session

GIVEN = {
    "AWS_LAMBDA_FUNCTION_NAME": "api",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
TABLES = SERVICES["dynamodb"]


def of(service: Service, **more: str) -> Any:
    return access(service.host, service.variable, GIVEN | more)


def regions(partition: str) -> list[str]:
    found = session().get_component("data_loader").load_data("partitions")["partitions"]
    return [region for each in found if each["id"] == partition for region in each["regions"] if "global" not in region]


@pytest.mark.parametrize("name", SERVICES)
def test_it_leads_where_botocores_rules_lead(name: str) -> None:
    for region in regions("aws"):
        config = Config(account_id_endpoint_mode="disabled")
        theirs = session().create_client(name, region, config=config, aws_access_key_id="x", aws_secret_access_key="x")
        assert of(SERVICES[name], AWS_DEFAULT_REGION=region).url == theirs.meta.endpoint_url


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"])
def test_other_partitions_are_left_to_botocore(partition: str) -> None:
    assert regions(partition)
    for region in regions(partition):
        assert of(TABLES, AWS_DEFAULT_REGION=region) is None


def test_the_credentials_are_the_environments() -> None:
    found = of(TABLES)
    assert (found.region, found.access_key, found.secret_key, found.token) == ("eu-central-1", "key", "secret", "token")


def test_an_endpoint_may_be_given_for_all_services_or_for_one() -> None:
    everywhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert of(TABLES, **everywhere).url == "http://127.0.0.1:1"
    assert of(TABLES, **everywhere, AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:2").url == "http://127.0.0.1:2"


def test_botocores_certificates_vouch_unless_others_are_given() -> None:
    assert of(TABLES).bundle == DEFAULT_CA_BUNDLE
    assert of(TABLES, AWS_CA_BUNDLE="/etc/own.pem").bundle == "/etc/own.pem"


@pytest.mark.parametrize(
    "more",
    [
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_CONFIG_FILE": "/etc/aws"},
        {"AWS_PROFILE": "operator"},
        {"AWS_CREDENTIAL_EXPIRATION": "2026-11-29T00:00:00Z"},
        {"HTTPS_PROXY": "http://proxy.example:3128"},
        {"http_proxy": "http://proxy.example:3128"},
    ],
)
def test_what_botocore_would_look_further_for_is_left_to_it(more: dict[str, str]) -> None:
    assert of(TABLES) and of(TABLES, **more) is None


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"])
def test_so_is_what_the_environment_does_not_say(name: str) -> None:
    assert access("dynamodb", "DYNAMODB", {key: value for key, value in GIVEN.items() if key != name}) is None


def test_outside_of_lambda_a_file_of_settings_goes_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shell = {name: value for name, value in GIVEN.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
    assert access("dynamodb", "DYNAMODB", shell)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\n")
    assert access("dynamodb", "DYNAMODB", shell) is None
    assert access("dynamodb", "DYNAMODB", GIVEN)
