"""The `broker` command on AWS in the process."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from broker.cli import ALL_SCOPES, create_key, main, put_secret, registry_of, stack_outputs
from broker.clock import now_ms
from broker.tenants.api_keys import key_hash
from broker.tenants.identity import Identity, authenticate
from moto import mock_aws

KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": KEYS,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    },
}
TABLES = ("JobsTable", "RegistryTable", "LedgerTable")
TEMPLATE = {
    "Resources": {**dict.fromkeys(TABLES, TABLE), "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}}},
    "Outputs": {
        **{name: {"Value": {"Ref": name}} for name in TABLES},
        "KeyArn": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
        "SecretsPrefix": {"Value": "my-broker/"},
    },
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with credentials, and a deployed stack."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("BROKER_STACK", "my-broker")
    with mock_aws():
        made = boto3.Session()
        made.client("cloudformation").create_stack(StackName="my-broker", TemplateBody=json.dumps(TEMPLATE))
        yield made


def never() -> Any:
    raise AssertionError("no JWT came")


def identity(session: Any, key: str) -> Identity:
    return authenticate(f"Bearer {key}", registry_of(session, stack_outputs(session, "my-broker")), now_ms(), never)


def secret(session: Any, name: str) -> str:
    return str(session.client("secretsmanager").get_secret_value(SecretId=f"my-broker/{name}")["SecretString"])


def test_outputs_are_shown(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outputs"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == stack_outputs(session, "my-broker")
    assert shown["SecretsPrefix"] == "my-broker/" and set(TABLES) <= shown.keys()


def test_a_file_is_applied(session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "registry.json"
    file.write_text('{"tenants": [{"id": "acme"}], "prompts": [{"id": "p", "version": 1, "user": "x"}]}')
    assert main(["--stack", "my-broker", "apply", str(file)]) == 0
    assert capsys.readouterr().out == "3 items written\n"
    tables = registry_of(session, stack_outputs(session, "my-broker"))
    assert tables.get("registry", "TENANT#acme", "TENANT")
    assert tables.get("registry", "PROMPT#p", "LATEST") == {"pk": "PROMPT#p", "sk": "LATEST", "version": 1, "user": "x"}


def test_an_error_is_one_line(session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "registry.json"
    file.write_text('{"tenants": [{"id": "Acme"}]}')
    assert main(["apply", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("broker: tenants.0.id: ") and said.err.count("\n") == 1


def test_a_key_is_shown_once_and_works(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "acme", "--principal", "ci"]) == 0
    key = capsys.readouterr().out.strip()
    assert identity(session, key) == Identity("acme", "ci", frozenset(ALL_SCOPES))
    table = stack_outputs(session, "my-broker")["RegistryTable"]
    kept = session.client("dynamodb").scan(TableName=table)["Items"]
    assert key not in str(kept) and key_hash(key) in str(kept)


def test_a_key_may_be_narrow_and_end(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "acme", "--principal", "ci", "--scopes", "jobs:read", "--days", "7"]) == 0
    key = capsys.readouterr().out.strip()
    assert identity(session, key).scopes == {"jobs:read"}
    tables = registry_of(session, stack_outputs(session, "my-broker"))
    item = tables.get("registry", f"KEY#{key_hash(key)}", "KEY")
    assert item is not None
    assert item["valid_until"] - item["created_at"] == 7 * 86_400_000
    assert create_key(tables, "acme", "ci") != create_key(tables, "acme", "ci")


def test_a_secret_is_stored_and_replaced(
    session: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("first", "second"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))
        assert main(["secret", "providers/openai"]) == 0
        assert capsys.readouterr().out == "providers/openai stored\n"
        assert secret(session, "providers/openai") == text


def test_a_secret_is_encrypted_with_the_stacks_key(session: Any) -> None:
    outputs = stack_outputs(session, "my-broker")
    put_secret(session, outputs, "tenants/acme/webhook", "whsec_x")
    told = session.client("secretsmanager").describe_secret(SecretId="my-broker/tenants/acme/webhook")
    assert told["KmsKeyId"] == outputs["KeyArn"]


@pytest.mark.parametrize(
    "arguments", [[], ["apply"], ["key", "acme"], ["secret"], ["key", "a", "--days", "x"], ["fly"]]
)
def test_a_command_that_is_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: broker" in capsys.readouterr().err
