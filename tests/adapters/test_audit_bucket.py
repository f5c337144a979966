"""The bucket of the audit trail: a block is written once, and what was done to it afterwards is seen."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from broker.audit.appending import PK, Append, end_of
from broker.audit.chain import key_of, verify
from broker.audit.record import record
from broker.cloud.audit_bucket import AuditBucket
from moto import mock_aws

from tests.fakes.database import FakeDatabase

NOW, NAME = 1_790_000_000_000, "audit"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=NAME, ObjectLockEnabledForBucket=True)
        yield client


def test_a_number_is_taken_once(s3: Any) -> None:
    bucket = AuditBucket(NAME, s3)
    assert bucket.get(1) is None
    assert (bucket.put(1, b"one"), bucket.put(1, b"two")) == (True, False)
    assert bucket.get(1) == b"one"


def test_what_is_written_over_or_hidden_is_seen_and_its_first_version_is_read(s3: Any) -> None:
    bucket, database = AuditBucket(NAME, s3), FakeDatabase()
    write = Append(database, bucket, "ours", lambda number: None)
    for number in range(3):
        write([record("payload.read", str(number), NOW, tenant="acme")], NOW + number)

    def faults() -> list[tuple[str, int]]:
        return [(each.what, each.number) for each in verify(bucket.all(), end_of(database, NAME), NOW, 30)]

    assert database.get("ledger", PK, NAME) is not None and faults() == []
    s3.put_object(Bucket=NAME, Key=key_of(2), Body=b"forged")
    assert faults() == [("overwritten", 2)], "the first version is there, and whole"
    s3.delete_object(Bucket=NAME, Key=key_of(3))
    assert faults() == [("overwritten", 2), ("overwritten", 3)]
    s3.put_object(Bucket=NAME, Key="blocks/other", Body=b"x")
    assert ("forged", 3) in faults()
