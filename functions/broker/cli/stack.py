"""What an operator's shell does to a deployed stack, through boto3."""

from typing import Any

from broker.clock import now_ms
from broker.cloud.bus import Bus
from broker.cloud.database import DynamoDatabase
from broker.cloud.replaying import Nowhere, Replay
from broker.cloud.texts import BucketTexts
from broker.delivery.publishing import Publish
from broker.inbox.counting import Count
from broker.jobs.store import Jobs
from broker.registry.versions import Registry
from broker.tenants.api_keys import kept, key_item, new_key

ALL_SCOPES = (
    *("jobs:read", "jobs:write", "files:read", "files:write", "models:read", "usage:read"),
    *("webhooks:read", "webhooks:write"),
)
"""What a key has unless its scopes are named."""

KNOWN_SCOPES = (*ALL_SCOPES, "pii:read", "users:name", "*")


def stack_outputs(session: Any, stack: str) -> dict[str, str]:
    """Outputs of the deployed stack, by key."""
    found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def tables_of(session: Any, outputs: dict[str, str]) -> DynamoDatabase:
    """The stack's tables, as far as operators write them."""
    names = {"jobs": outputs["JobsTable"], "registry": outputs["RegistryTable"], "ledger": outputs["LedgerTable"]}
    return DynamoDatabase(session.client("dynamodb"), names)  # type: ignore[arg-type]  # literal keys


def registry_of(session: Any, outputs: dict[str, str]) -> Registry:
    """The stack's registry."""
    texts = BucketTexts(outputs["PayloadsBucket"], lambda: session.client("s3"))
    return Registry(tables_of(session, outputs), texts)


def create_key(
    database: DynamoDatabase,
    tenant: str,
    principal: str,
    scopes: tuple[str, ...] = ALL_SCOPES,
    days: int | None = None,
    limits: dict[str, int] | None = None,
    application: str | None = None,
    by: str = "",
) -> str:
    """Register a new API key and give it; only its hash is kept, so it cannot be shown again."""
    key, digest = new_key()
    now = now_ms()
    expires = None if days is None else now + days * 86_400_000
    times: dict[str, Any] = {"created_at": now, "expires_at": expires}
    whose: dict[str, Any] = {"tenant": tenant, "principal": principal, "application": application, "by": by}
    item = key_item(digest, scopes=scopes, limits=limits, **whose, **times)
    database.write(*kept(item))
    return key


def put_secret(session: Any, outputs: dict[str, str], name: str, text: str) -> None:
    """Create or replace a secret of the stack, encrypted with its key."""
    client = session.client("secretsmanager")
    full = f"{outputs['SecretsPrefix']}{name}"
    try:
        client.create_secret(Name=full, SecretString=text, KmsKeyId=outputs["KeyArn"])
        return
    except (client.exceptions.ResourceExistsException, client.exceptions.InvalidRequestException):
        # While one is about to be deleted, nothing else can have its name.
        if client.describe_secret(SecretId=full).get("DeletedDate"):
            client.restore_secret(SecretId=full)
    # One that a stack of this name left behind is encrypted with that stack's key.
    client.update_secret(SecretId=full, SecretString=text, KmsKeyId=outputs["KeyArn"])


def replay_all(session: Any, outputs: dict[str, str]) -> int:
    """Tell again what the reader of the stream gave up on; gives the number of changes."""
    database = tables_of(session, outputs)
    nowhere = Nowhere()
    publish = Publish(
        database,
        Jobs(database, ()),
        Bus(session.client("events"), outputs["BusName"]),
        nowhere,
        outputs["ApiUrl"],
        lambda head: None,
        Count(database, nowhere),
    )
    replay = Replay(session.client("sqs"), session.client("dynamodbstreams"), outputs["PublishDeadLettersUrl"], publish)
    return replay(now_ms())


def caller(session: Any) -> str:
    """Who the shell's credentials stand for: an ARN."""
    return str(session.client("sts").get_caller_identity()["Arn"])
