"""A registry on AWS in the process, and an account around it that answers by a table."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from broker.cli.doctor.account import Account as Asking
from broker.cli.doctor.finding import Finding
from broker.cli.doctor.report import look
from broker.cli.stack import registry_of
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from moto import mock_aws

from tests.fakes.account import Account
from tests.fakes.aws import aws_environment
from tests.unit.doctor.commands import check_command
from tests.unit.doctor.healthy import ACCOUNT, NAME, NOVA, PROFILE, TITAN, answers

NOW = 1_796_000_000_000
"""2026-11-30."""

COST = {"context_window": 1000, "max_output_tokens": 100, "price_in_usd": 1, "price_out_usd": 1}


def chat(model: str, provider: str = "bedrock", /, **more: Any) -> dict[str, Any]:
    return {"id": model, "provider": provider, "name": model, "tasks": ["chat"], **COST, **more}


REGISTRY: dict[str, list[dict[str, Any]]] = {
    "models": [
        chat("haiku", name=PROFILE, endpoint="us-east-1"),
        chat("nova", name=NOVA),
        chat("titan", name=TITAN),
        chat("gpt", "openai", secret="providers/openai"),
    ],
    "aliases": [{"id": "fast", "models": ["haiku", "gpt"]}],
    "routes": [{"id": "default", "models": ["nova"], "fallbacks": ["fast"]}],
    "tenants": [{"id": "acme", "webhook_secret": "tenants/acme/webhook"}],
    "sources": [{"account": ACCOUNT, "source": "orders", "tenant": "acme"}],
}

TABLES = ("JobsTable", "RegistryTable", "LedgerTable")


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with aws_environment(), mock_aws():
        made = boto3.Session()
        keys = {"pk": "HASH", "sk": "RANGE"}
        for table in TABLES:
            made.client("dynamodb").create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],  # type: ignore[misc]
            )
        yield made


OUTPUTS = {name: name for name in TABLES} | {"PayloadsBucket": "payloads"}

Found = list[tuple[str, Finding]]
Doctor = Callable[..., Found]


@pytest.fixture
def account(session: Any) -> Account:
    """In good health."""
    return Account(session, answers(OUTPUTS))


Register = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def standing() -> dict[str, Any]:
    """The registry that a test left behind, if it is the one above; to write it takes longer than most tests."""
    return {}


@pytest.fixture
def register(session: Any, standing: dict[str, Any]) -> Register:
    """Write a registry document; the first of a test begins anew."""
    written: list[dict[str, Any]] = []

    def write(document: dict[str, Any]) -> None:
        if document is REGISTRY and not written and "usual" in standing:
            written.append(document)
            return
        standing.clear()
        if not written:
            client = session.client("dynamodb")
            for item in client.scan(TableName="RegistryTable")["Items"]:
                client.delete_item(TableName="RegistryTable", Key={name: item[name] for name in ("pk", "sk")})
        written.append(document)
        apply(registry_of(session, OUTPUTS), parse_registry(json.loads(json.dumps(document))), by="ada", now=NOW)
        if written == [REGISTRY]:
            standing["usual"] = True

    return write


@pytest.fixture
def examine(account: Account, register: Register) -> Doctor:
    """What is found with a registry (the one above unless said) and other answers; each command can be run."""

    def run(registry: dict[str, Any] | None = None, **changed: Any) -> Found:
        register(REGISTRY if registry is None else registry)
        account.answers |= {name.replace("__", ":").replace("_", "-"): each for name, each in changed.items()}
        found = list(look(Asking(account), NAME, NOW))
        for _, finding in found:
            if finding.mend:
                check_command(finding.mend)
        return found

    return run
