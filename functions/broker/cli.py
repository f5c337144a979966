"""The `broker` command: what an operator does to a deployed stack.

    broker apply registry.json            models, tenants, sources, issuers, prompts
    broker key TENANT --principal NAME    a new API key, shown once
    broker secret NAME < file             a provider's key (`providers/…`) or a webhook secret (`tenants/…`)
    broker retell                         tell again what the stream's reader gave up on
    broker outputs                        the stack's outputs

It uses the AWS credentials and region of the shell, and `--stack` or `BROKER_STACK`.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from broker.batches.counting import Count
from broker.clock import now_ms
from broker.cloud.bus import Bus
from broker.cloud.database import DynamoDatabase
from broker.cloud.retelling import Nowhere, Retell
from broker.delivery.publishing import Publish
from broker.errors import BrokerError, InvalidRequest
from broker.jobs.store import Jobs
from broker.registering import apply, parse_registry
from broker.storage import Put
from broker.tenants.api_keys import key_item, new_key

ALL_SCOPES = ("jobs:read", "jobs:write", "models:read", "usage:read")


def stack_outputs(session: Any, stack: str) -> dict[str, str]:
    """Outputs of the deployed stack, by key."""
    found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def registry_of(session: Any, outputs: dict[str, str]) -> DynamoDatabase:
    """The stack's tables, as far as operators write them."""
    names = {"jobs": outputs["JobsTable"], "registry": outputs["RegistryTable"], "ledger": outputs["LedgerTable"]}
    return DynamoDatabase(session.client("dynamodb"), names)  # type: ignore[arg-type]  # literal keys


def create_key(
    database: DynamoDatabase, tenant: str, principal: str, scopes: tuple[str, ...] = ALL_SCOPES, days: int | None = None
) -> str:
    """Register a new API key and give it; only its hash is kept, so it cannot be shown again."""
    key, digest = new_key()
    now = now_ms()
    expires = None if days is None else now + days * 86_400_000
    item = key_item(digest, tenant=tenant, principal=principal, scopes=scopes, created_at=now, expires_at=expires)
    database.write(Put("registry", item))
    return key


def put_secret(session: Any, outputs: dict[str, str], name: str, text: str) -> None:
    """Create or replace a secret of the stack, encrypted with its key."""
    client = session.client("secretsmanager")
    full = f"{outputs['SecretsPrefix']}{name}"
    try:
        client.create_secret(Name=full, SecretString=text, KmsKeyId=outputs["KeyArn"])
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=full, SecretString=text)


def retell_all(session: Any, outputs: dict[str, str]) -> int:
    """Tell again what the reader of the stream gave up on; gives the number of changes."""
    database = registry_of(session, outputs)
    nowhere = Nowhere()
    publish = Publish(
        database,
        Jobs(database),
        Bus(session.client("events"), outputs["BusName"]),
        nowhere,
        lambda head: None,
        Count(database, nowhere),
    )
    retell = Retell(session.client("sqs"), session.client("dynamodbstreams"), outputs["PublishDeadLettersUrl"], publish)
    return retell(now_ms())


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        session = boto3.Session()
        print(_run(options, session, stack_outputs(session, options.stack)))
    except BrokerError as error:
        print(f"broker: {error.message}", file=sys.stderr)
    except (
        BotoCoreError,
        ClientError,
        OSError,
        ValueError,
    ) as error:  # no stack, no credentials, no such file, no JSON
        print(f"broker: {error}", file=sys.stderr)
    else:
        return 0
    return 1


def _run(options: argparse.Namespace, session: Any, outputs: dict[str, str]) -> str:
    match options.command:
        case "apply":
            count = apply(registry_of(session, outputs), parse_registry(json.loads(Path(options.file).read_text())))
            return f"{count} items written"
        case "key":
            scopes = tuple(options.scopes.split(","))
            if strange := set(scopes) - {*ALL_SCOPES, "*"}:
                raise InvalidRequest(f"Unknown scopes: {', '.join(sorted(strange))}.", param="scopes")
            if options.days is not None and options.days < 1:
                raise InvalidRequest("A key is valid for a day at least.", param="days")
            return create_key(registry_of(session, outputs), options.tenant, options.principal, scopes, options.days)
        case "secret":
            put_secret(session, outputs, options.name, sys.stdin.read().strip())
            return f"{options.name} stored"
        case "retell":
            return f"{retell_all(session, outputs)} changes told again"
    return json.dumps(outputs, indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="broker", description="Operate a deployed inference broker.")
    parser.add_argument("--stack", default=os.environ.get("BROKER_STACK", "inference-broker"))
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("apply", help="write a registry file")
    one.add_argument("file")
    one = commands.add_parser("key", help="make an API key; it is shown once")
    one.add_argument("tenant")
    one.add_argument("--principal", required=True, help="who will use it")
    one.add_argument("--scopes", default=",".join(ALL_SCOPES), help="comma-separated")
    one.add_argument("--days", type=int, help="how long it is valid; for ever when left out")
    one = commands.add_parser("secret", help="store a secret read from standard input")
    one.add_argument("name", help="such as providers/openai or tenants/acme/webhook")
    commands.add_parser("retell", help="tell again what is in the dead letters of publish")
    commands.add_parser("outputs", help="show the stack's outputs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
