"""AWS in the process: clients that check what they send, tables and buckets as the template has them."""

from collections.abc import Callable, Iterator
from functools import cache, wraps
from threading import RLock
from typing import Any

import pytest
import urllib3
from botocore.config import Config
from botocore.session import get_session
from broker.cloud.access import Access
from broker.cloud.database import DynamoDatabase
from broker.cloud.keep_alive import KeepAlive
from broker.cloud.lean import LeanClient
from broker.cloud.operations import SERVICES
from broker.cloud.payloads import PayloadStore
from broker.storage import Database
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.server import ThreadedMotoServer

from tests.fakes.database import FakeDatabase
from tests.fakes.json_service import KEYS, REGION
from tests.fakes.payloads import FakePayloads
from tests.fakes.world import NOW

Client = Callable[[str], Any]
TABLES = {"jobs": "jobs-table", "registry": "registry-table", "ledger": "ledger-table", "cache": "cache-table"}
BUCKET = "payloads-bucket"

SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
INDEXES = {"tenant": (("tenant", "S"), ("id", "S")), "due": (("due", "S"), ("due_at", "N"))}


@cache
def session() -> Any:
    return get_session()


def lean_client(name: str, url: str, make: Callable[[], Any], *, bundle: str = "", read_s: float = 60) -> LeanClient:
    """A client by the short way, with the credentials of `tests.fakes.json_service`."""
    access = Access(url, REGION, KEYS.access_key, KEYS.secret_key, KEYS.token, bundle)
    server = KeepAlive(access.url, connect_s=3, read_s=read_s, bundle=access.bundle)
    return LeanClient(SERVICES[name], access, server, make, user_agent="broker")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    config = Config(parameter_validation=True, retries={"total_max_attempts": 1})
    with mock_aws():
        made: dict[str, Any] = {}
        yield lambda service: made.setdefault(
            service, session().create_client(service, region_name="us-east-1", config=config)
        )


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of AWS as a server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
            patched.setattr(DynamoDBBackend, name, one_at_a_time(getattr(DynamoDBBackend, name)))
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


WRITING = RLock()


def one_at_a_time(write: Callable[..., Any]) -> Callable[..., Any]:
    """A write with its condition as one step, as DynamoDB has it: moto's server looks and writes in two."""

    @wraps(write)
    def alone(*args: Any, **named: Any) -> Any:
        with WRITING:
            return write(*args, **named)

    return alone


@pytest.fixture
def lean(served: str) -> Client:
    """Clients by the short way, as the functions have them."""
    urllib3.request("POST", f"{served}/moto-api/reset")
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, user_agent="lean")
    given: dict[str, Any] = {"region_name": REGION, "endpoint_url": served, "config": config}
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}

    def made(service: str) -> Any:
        return lean_client(service, served, lambda: session().create_client(service, **given, **keys))

    return cache(made)


@pytest.fixture
def dynamodb(client: Client) -> Any:
    return with_tables(client("dynamodb"))


def with_tables(made: Any) -> Any:
    for table in TABLES.values():
        indexed = INDEXES if table == TABLES["jobs"] else {}
        attributes = {("pk", "S"), ("sk", "S")} | {key for keys in indexed.values() for key in keys}
        indexes = [
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for name, ((hash_key, _), (range_key, _)) in indexed.items()
        ]
        made.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=SCHEMA,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in sorted(attributes)],
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )
    return made


@pytest.fixture(params=["fake", "dynamodb", "lean"])
def database(request: pytest.FixtureRequest) -> Database:
    if request.param == "fake":
        return FakeDatabase()
    if request.param == "lean":
        return DynamoDatabase(with_tables(request.getfixturevalue("lean")("dynamodb")), TABLES)  # type: ignore[arg-type]
    return DynamoDatabase(request.getfixturevalue("dynamodb"), TABLES)  # type: ignore[arg-type]


@pytest.fixture
def bucket(client: Client) -> Any:
    made = client("s3")
    made.create_bucket(Bucket=BUCKET)
    return made


@pytest.fixture
def store(client: Client, dynamodb: Any, bucket: Any) -> PayloadStore:
    tables = DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]
    return PayloadStore(tables, TABLES["jobs"], BUCKET, lambda: bucket, lambda: dynamodb, lambda: NOW)


@pytest.fixture(params=["fake", "adapter"])
def payloads(request: pytest.FixtureRequest) -> Any:
    return FakePayloads() if request.param == "fake" else request.getfixturevalue("store")
