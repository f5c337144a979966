"""The authorizer: a policy for the stage, or the one text that becomes 401."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest
import urllib3
from broker.bootstrap import adapters, doors
from broker.cli import create_key
from broker.cloud import clients
from broker.tenants.api_keys import key_hash, key_id, new_key
from handlers.authorize import handler
from moto.server import ThreadedMotoServer

METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/v1/POST/jobs/job_1/cancel"
TABLES = {"JOBS_TABLE": "jobs", "REGISTRY_TABLE": "registry", "LEDGER_TABLE": "ledger", "CACHE_TABLE": "cache"}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The function's environment, and the table that it reads."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "BROKER_FAULTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**TABLES, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    built = (adapters.database, doors.identify, clients.client, clients._session)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    urllib3.request("POST", f"http://{host}:{port}/moto-api/reset")
    for each in built:
        each.cache_clear()
    made = boto3.client("dynamodb")
    made.create_table(
        TableName="registry",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    yield made
    for each in built:
        each.cache_clear()
    server.stop()


def asked(credential: str) -> dict[str, Any]:
    return handler({"type": "TOKEN", "methodArn": METHOD, "authorizationToken": credential}, None)


def asked_with(headers: dict[str, str] | None) -> dict[str, Any]:
    """The same of an authorizer that gets all headers."""
    return handler({"type": "REQUEST", "methodArn": METHOD, "headers": headers}, None)


@pytest.mark.usefixtures("dynamodb")
def test_a_key_opens_the_whole_stage_and_no_other() -> None:
    key = create_key(adapters.database(), "acme", "ci", ("jobs:write", "jobs:read"))
    answer = asked(f"Bearer {key}")
    (statement,) = answer["policyDocument"]["Statement"]
    assert answer["policyDocument"]["Version"] == "2012-10-17"
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:us-east-1:123456789012:abc123/v1/*",
    }
    assert answer["principalId"] == "ci"
    who = {"tenant": "acme", "principal": "ci", "scopes": "jobs:read jobs:write"}
    assert answer["context"] == {**who, "key": key_id(key_hash(key))}
    assert all(isinstance(value, str) for value in answer["context"].values())  # API Gateway takes no others


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize(
    "credential", ["", "Bearer", "Bearer x", "Basic abc", f"Bearer {new_key()[0]}", "Bearer a.b.c"], ids=count()
)
def test_anything_else_is_unauthorized(credential: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$") as failure:
        asked(credential)
    assert type(failure.value) is Exception  # API Gateway goes by the text, and only this one is a 401
    assert failure.value.__suppress_context__
    token = credential.removeprefix("Bearer").strip()
    assert len(token) < 10 or token not in capsys.readouterr().out


@pytest.mark.usefixtures("dynamodb")
def test_a_key_may_come_in_either_header_whatever_their_case() -> None:
    key = create_key(adapters.database(), "acme", "ci")
    wanted = asked(f"Bearer {key}")
    for headers in (
        {"x-api-key": key},
        {"X-Api-Key": f" {key} "},
        {"Authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key}", "X-API-Key": ""},
        {"Authorization": f"Bearer {key}", "x-api-key": key},
    ):
        assert asked_with(headers) == wanted, headers


@pytest.mark.usefixtures("dynamodb")
def test_two_credentials_that_differ_are_nobodys() -> None:
    mine, theirs = (create_key(adapters.database(), tenant, "ci") for tenant in ("acme", "other"))
    for headers in (
        None,
        {},
        {"x-api-key": ""},
        {"x-api-key": f"Bearer {mine}"},
        {"x-api-key": mine, "Authorization": f"Bearer {theirs}"},
        {"x-api-key": theirs, "authorization": f"Bearer {mine}"},
        {"x-api-key": mine, "Authorization": mine},
        {"x-api-key": mine, "Authorization": "Basic abc"},
        {"x-api-key": mine, "Authorization": "Bearer"},
        {"x-api-key": f"{mine}, {mine}"},
        {"Authorization": mine},
        {"api-key": mine},
    ):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            asked_with(headers)


def test_a_revoked_key_is_unauthorized(dynamodb: Any) -> None:
    key = create_key(adapters.database(), "acme", "ci")
    assert asked(f"Bearer {key}")
    dynamodb.update_item(
        TableName="registry",
        Key={"pk": {"S": f"KEY#{key_hash(key)}"}, "sk": {"S": "KEY"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "revoked"}},
    )
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        asked(f"Bearer {key}")
