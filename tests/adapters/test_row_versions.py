"""A file of rows that is overwritten while its batch is under way: it is of the one file or fails, never of both."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import Batch, BatchStatus
from broker.batches.rows.planning import Plan
from broker.batches.rows.sources import contents_of
from broker.batches.store import Batches
from broker.cloud.row_files import InboxObjects
from broker.cloud.rows import RowObjects
from broker.errors import NotFound
from broker.inbox.files import File

from tests.adapters.conftest import Client
from tests.fakes.batches import BATCH_ID, a_batch
from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

KEY = "acme/rows.jsonl"
FORMS = ["Enabled", "Suspended", None]
"""Of buckets: with versions, with none any more, and with none ever."""


class NamesNull:
    """A client for which HeadObject takes the version `null` where it is the newest, as S3 does and moto does not."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def head_object(self, **what: Any) -> Any:
        return self._client.head_object(**{name: value for name, value in what.items() if value != "null"})


class Place:
    """A bucket, and a batch of a file in it."""

    def __init__(self, client: Any, form: str | None) -> None:
        self.s3, self.batches, self.form = client, Batches(FakeDatabase()), form
        for bucket in ("inbox", "payloads"):
            client.create_bucket(Bucket=bucket)
        if form == "Suspended":  # it has an older version, too
            client.put_bucket_versioning(Bucket="inbox", VersioningConfiguration={"Status": "Enabled"})
            self.put("old", 1)
        if form:
            client.put_bucket_versioning(Bucket="inbox", VersioningConfiguration={"Status": form})
        self.rows = RowObjects(NamesNull(client), "payloads")

    def put(self, word: str, count: int = 250) -> None:
        lines = (json.dumps({"input": {"text": f"{word} {number}"}}) for number in range(count))
        self.s3.put_object(Bucket="inbox", Key=KEY, Body="\n".join(lines).encode())

    def submit(self, source: dict[str, Any]) -> None:
        batch = replace(a_batch(0), status=BatchStatus.VALIDATING, is_planned=False, shards=0, rows_in=None)
        self.batches.create(replace(batch, source={"kind": "object", **source}))

    def plan(self) -> Batch:
        Plan(self.batches, self.rows)(BATCH_ID, lambda: NOW, lambda: True)
        return self.batches.get(BATCH_ID)

    def words(self) -> set[str]:
        """The words of all rows, read shard by shard, as those who run them do."""
        batch = self.batches.get(BATCH_ID)
        shards = (self.batches.shard(BATCH_ID, number) for number in range(batch.shards))
        bodies = [content.request.body for shard in shards for content in contents_of(batch, shard, self.rows)]
        assert len(bodies) == batch.rows and all(bodies)
        return {body["input"]["text"].partition(" ")[0] for body in bodies}

    @property
    def found(self) -> dict[str, Any]:
        """As the door finds it."""
        found = InboxObjects(self.s3).object("inbox", KEY)
        assert found is not None
        return found.source | self.named

    def told(self, *, with_version: bool) -> dict[str, Any]:
        """As S3's event tells of it; the embedded cloud's names no version."""
        head = self.s3.head_object(Bucket="inbox", Key=KEY)
        stored = {"key": KEY, "size": head["ContentLength"], "etag": head["ETag"].strip('"')}
        version = {"version-id": head["VersionId"]} if with_version and "VersionId" in head else {}
        place = File.of({"detail": {"bucket": {"name": "inbox"}, "object": stored | version}}).place
        return place | (self.named if with_version else {})

    @property
    def named(self) -> dict[str, str]:
        """The version of all objects that came when versions were not kept any more; S3 tells it, and moto does not."""
        return {"version": "null"} if self.form == "Suspended" else {}


@pytest.fixture(params=FORMS, ids=str)
def place(request: pytest.FixtureRequest, client: Client) -> Place:
    return Place(client("s3"), request.param)


@pytest.fixture(params=["found", "told", "told without a version"])
def source(request: pytest.FixtureRequest, place: Place) -> dict[str, Any]:
    place.put("first")
    if request.param == "found":
        return place.found
    return place.told(with_version=request.param == "told")


def is_kept(place: Place, source: dict[str, Any]) -> bool:
    return source["version"] not in (None, "null")


def test_overwritten_before_it_is_planned_it_is_the_first_or_none(place: Place, source: dict[str, Any]) -> None:
    place.submit(source)
    place.put("second")
    batch = place.plan()
    if is_kept(place, source):
        assert (batch.rows, place.words()) == (250, {"first"})
    else:
        assert (batch.status, (batch.error or {})["code"]) == (BatchStatus.FAILED, "file_gone")


def test_overwritten_after_it_was_planned_no_row_is_of_the_other(place: Place, source: dict[str, Any]) -> None:
    place.submit(source)
    assert place.plan().rows == 250
    place.put("second")
    if is_kept(place, source):
        assert place.words() == {"first"}
    else:
        with pytest.raises(NotFound) as gone:
            place.words()
        assert gone.value.code == "file_gone"


def test_what_is_not_overwritten_is_read_in_every_bucket(place: Place, source: dict[str, Any]) -> None:
    place.submit(source)
    place.plan()
    assert place.words() == {"first"}
