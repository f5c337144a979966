"""The `broker` command on AWS in the process."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from broker.cli import ALL_SCOPES, create_key, main, put_secret, registry_of, stack_outputs, tables_of
from broker.cli.exits import Exit
from broker.clock import now_ms
from broker.storage import Put
from broker.tenants.api_keys import key_hash
from broker.tenants.identity import Identity, authenticate
from moto import mock_aws

from tests.fakes.texts import long_text

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
    "Resources": {
        **dict.fromkeys(TABLES, TABLE),
        "PayloadsBucket": {"Type": "AWS::S3::Bucket"},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
    },
    "Outputs": {
        **{name: {"Value": {"Ref": name}} for name in (*TABLES, "PayloadsBucket")},
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
    return authenticate(f"Bearer {key}", tables_of(session, stack_outputs(session, "my-broker")), now_ms(), never)


def secret(session: Any, name: str) -> str:
    return str(session.client("secretsmanager").get_secret_value(SecretId=f"my-broker/{name}")["SecretString"])


def test_outputs_are_shown(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outputs"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == stack_outputs(session, "my-broker")
    assert shown["SecretsPrefix"] == "my-broker/" and set(TABLES) <= shown.keys()


def tables(session: Any) -> Any:
    return tables_of(session, stack_outputs(session, "my-broker"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines that a command prints; it must go well."""
    assert main(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def test_a_folder_is_planned_applied_and_rolled_back(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("tenants:\n- id: acme\n  monthly_budget_usd: 5\n")
    (tmp_path / "b.json").write_text('{"prompts": [{"id": "p", "user": "x"}], "tenants": [{"id": "free"}]}')
    added = ["+ tenants acme added, version 1", "+ tenants free added, version 1", "+ prompts p added, version 1"]
    assert run(capsys, "plan", str(tmp_path)) == [*added, "3 to change, 0 unchanged"]
    assert tables(session).get("registry", "TENANT#acme", "TENANT") is None
    assert run(capsys, "apply", str(tmp_path)) == [*added, "3 changed, 0 unchanged"]
    assert tables(session).get("registry", "TENANT#acme", "TENANT")["monthly_budget"] == 5_000_000_000
    assert run(capsys, "apply", str(tmp_path)) == ["0 changed, 3 unchanged"]

    (tmp_path / "a.yaml").write_text("tenants:\n- id: acme\n  monthly_budget_usd: 9\n")
    (tmp_path / "b.json").unlink()
    changed = ["~ tenants acme changed, version 2", "    monthly_budget_usd: 5.0 -> 9.0"]
    left = "? tenants free is not in the document; left as it is"
    assert run(capsys, "plan", str(tmp_path)) == [*changed, left, "1 to change, 0 unchanged"]
    pruned = ["- tenants free disabled, version 2", "    enabled: nothing -> false"]
    assert run(capsys, "apply", str(tmp_path), "--prune") == [*changed, *pruned, "2 changed, 0 unchanged"]

    (line,) = run(capsys, "rollback", "tenants", "acme", "1")
    who = "arn:aws:sts::123456789012:user/moto"
    assert line.startswith("tenants acme version 3, ") and line.endswith(f"{who}: rolled back (monthly_budget_usd)")
    assert run(capsys, "rollback", "tenants", "acme", "1")[0].startswith("nothing to do")
    versions = run(capsys, "history", "tenants", "acme")
    assert [each.split(",")[0] for each in versions] == [f"tenants acme version {n}" for n in (3, 2, 1)]
    assert tables(session).get("registry", "TENANT#acme", "TENANT")["monthly_budget"] == 5_000_000_000


def test_a_long_prompt_is_applied_shown_and_rolled_back(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, texts = tmp_path / "prompts.json", [long_text(1_500_000, seed) for seed in range(2)]
    for text in texts:
        file.write_text(json.dumps({"prompts": [{"id": "p", "user": text}]}))
        run(capsys, "plan", str(file))
        run(capsys, "apply", str(file))
    assert run(capsys, "apply", str(file)) == ["0 changed, 1 unchanged"]
    (line,) = run(capsys, "rollback", "prompts", "p", "1")
    assert line.startswith("prompts p version 3, ")
    assert [each.split(",")[0] for each in run(capsys, "history", "prompts", "p")] == [
        f"prompts p version {n}" for n in (3, 2, 1)
    ]
    outputs = stack_outputs(session, "my-broker")
    assert registry_of(session, outputs).get("prompts", "p").content["user"] == texts[0]
    file.write_text(json.dumps({"prompts": [{"id": "p", "user": "x" * 2_000_001}]}))
    assert main(["apply", str(file)]) == 3
    assert "prompts.0.user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.json", '{"tenants": [{"id": "Acme"}]}', "r.json: tenants.0.id: "),
        ("r.yaml", "tenants:\n- id: [", "r.yaml: not YAML: "),
        ("r.json", "{", "r.json: Expecting"),
        ("r.yaml", "- tenants", "r.yaml: "),
        ("r.yaml", "!!python/object/apply:os.getcwd []", "r.yaml: not YAML: "),
        ("r.txt", "", "{} has no files that end in .yaml, .yml, .json."),
    ],
)
def test_a_fault_in_a_file_is_one_line_that_names_it(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    assert main(["apply", str(tmp_path)]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"broker: {said.format(tmp_path)}") and printed.err.count("\n") == 1


def test_a_path_or_version_that_is_not_there_is_one_line(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["plan", str(tmp_path / "none")],
        ["rollback", "models", "none", "1"],
        ["history", "models", "x"],
    ):
        assert main(arguments) in (Exit.INVALID, Exit.NOT_FOUND)
        assert capsys.readouterr().err.count("\n") == 1


def test_a_label_is_pointed_moved_and_taken_away(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prompts.yaml"
    file.write_text("prompts:\n- {id: p, version: 1, user: one}\n- {id: p, version: 2, user: two}\n")
    run(capsys, "apply", str(file))
    (line,) = run(capsys, "label", "p", "production", "1:90", "2:10")
    assert line.startswith("labels p version 1, ") and line.endswith(": added")
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    assert tables(session).get("registry", "PROMPT#p", "LABELS")["labels"] == {"production": arms}
    assert run(capsys, "label", "p", "production", "1:90", "2:10")[0].startswith("nothing to do")
    run(capsys, "label", "p", "production", "2")
    assert tables(session).get("registry", "PROMPT#p", "LABELS")["labels"]["production"][0]["version"] == 2
    run(capsys, "label", "p", "production")
    assert tables(session).get("registry", "PROMPT#p", "LABELS")["labels"] == {}
    run(capsys, "rollback", "labels", "p", "1")
    assert tables(session).get("registry", "PROMPT#p", "LABELS")["labels"] == {"production": arms}
    for wrong in (["q", "production", "1"], ["p", "production", "3"], ["p", "production", "x"], ["p", "a b", "1"]):
        assert main(["label", *wrong]) in (Exit.INVALID, Exit.NOT_FOUND)
        assert capsys.readouterr().err.count("\n") == 1


def register(session: Any, tenant: str, **settings: Any) -> None:
    tables(session).write(Put("registry", {"pk": f"TENANT#{tenant}", "sk": "TENANT", **settings}))


def test_a_key_is_made_for_tenants_that_may_use_it_only(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    register(session, "acme")
    register(session, "gone", enabled=False)
    for tenant, why in (("acmee", "not registered"), ("gone", "disabled")):
        assert main(["key", tenant, "--principal", "ci"]) == 4
        printed = capsys.readouterr()
        assert (printed.out, why in printed.err) == ("", True)
    table = stack_outputs(session, "my-broker")["RegistryTable"]
    assert "KEY#" not in str(session.client("dynamodb").scan(TableName=table)["Items"])


def test_a_key_is_shown_once_and_works(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    register(session, "acme")
    assert main(["key", "acme", "--principal", "ci"]) == 0
    key = capsys.readouterr().out.strip()
    found = identity(session, key)
    assert found and replace(found, key="") == Identity("acme", "ci", frozenset(ALL_SCOPES))
    table = stack_outputs(session, "my-broker")["RegistryTable"]
    kept = session.client("dynamodb").scan(TableName=table)["Items"]
    assert key not in str(kept) and key_hash(key) in str(kept)


def test_a_key_may_be_narrow_and_end(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    register(session, "acme")
    assert main(["key", "acme", "--principal", "ci", "--scopes", "jobs:read,pii:read"]) == 0
    assert identity(session, capsys.readouterr().out.strip()).scopes == {"jobs:read", "pii:read"}
    assert main(["key", "acme", "--principal", "ci", "--scopes", "jobs:read", "--days", "7"]) == 0
    key = capsys.readouterr().out.strip()
    assert identity(session, key).scopes == {"jobs:read"}
    tables = tables_of(session, stack_outputs(session, "my-broker"))
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


@pytest.mark.parametrize("left_behind", [False, True])
def test_a_secret_is_encrypted_with_the_stacks_key(session: Any, left_behind: bool) -> None:
    outputs = stack_outputs(session, "my-broker")
    manager, name = session.client("secretsmanager"), "my-broker/tenants/acme/webhook"
    if left_behind:
        manager.create_secret(Name=name, SecretString="old", KmsKeyId="key-of-a-stack-that-is-gone")
    put_secret(session, outputs, "tenants/acme/webhook", "whsec_x")
    assert manager.describe_secret(SecretId=name)["KmsKeyId"] == outputs["KeyArn"]


def test_the_name_of_a_secret_that_is_about_to_be_deleted_can_be_used_again(session: Any) -> None:
    outputs = stack_outputs(session, "my-broker")
    put_secret(session, outputs, "providers/openai", "old")
    session.client("secretsmanager").delete_secret(SecretId="my-broker/providers/openai", RecoveryWindowInDays=30)
    put_secret(session, outputs, "providers/openai", "new")
    assert secret(session, "providers/openai") == "new"


@pytest.mark.parametrize(
    "arguments",
    [[], ["apply"], ["key", "acme"], ["secret"], ["key", "a", "--days", "x"], ["fly"], ["history", "colours", "x"]],
)
def test_a_command_that_is_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: broker" in capsys.readouterr().err
