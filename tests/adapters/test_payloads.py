"""Prompts and answers: the fake and the adapter keep the same promises; the adapter also has to choose the place."""

import base64
import json
import random
import zlib
from typing import Any

import pytest
from broker.cloud.database import DynamoDatabase
from broker.cloud.packing import pack, unpack
from broker.cloud.payloads import INLINE_BYTES, PayloadStore
from broker.jobs.store import Jobs, Payloads
from broker.storage import Item, Put, TableName

from tests.adapters.conftest import BUCKET, TABLES
from tests.fakes.database import FakeDatabase
from tests.fakes.world import JOB_ID, NOW, a_head

OTHER = "job_0193a000000070008000000000000002"


def noise(size: int) -> dict[str, str]:
    """A document that does not compress below `size` bytes."""
    return {"text": base64.b64encode(random.Random(7).randbytes(size)).decode()}


SMALL = {"text": "Grüße 👋", "n": 1.5, "list": [None, True]}
LARGE = noise(INLINE_BYTES + 20_000)


def objects(bucket: Any) -> list[str]:
    return [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize("document", [SMALL, LARGE, {}, ["a"], "text"], ids=["small", "large", "empty", "list", "str"])
def test_gives_back_what_it_keeps(payloads: Payloads, document: Any) -> None:
    payloads.save(a_head(), "BODY", document)
    assert payloads.load(JOB_ID, "BODY") == document


def test_has_nothing_under_other_names(payloads: Payloads) -> None:
    payloads.save(a_head(), "OUTPUT#1.1", SMALL)
    assert payloads.load(JOB_ID, "OUTPUT#1.2") is None
    assert payloads.load(OTHER, "OUTPUT#1.1") is None


@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_the_same_name_overwrites(payloads: Payloads, document: Any) -> None:
    payloads.save(a_head(), "BODY", {"text": "old"})
    payloads.save(a_head(), "BODY", document)
    assert payloads.load(JOB_ID, "BODY") == document


@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_drops_one_and_may_be_repeated(payloads: Payloads, document: Any) -> None:
    payloads.save(a_head(), "OUTPUT#1.1", document)
    payloads.save(a_head(), "OUTPUT#1.2", document)
    for _ in range(2):
        payloads.drop(JOB_ID, "OUTPUT#1.1")
        assert payloads.load(JOB_ID, "OUTPUT#1.1") is None
        assert payloads.load(JOB_ID, "OUTPUT#1.2") == document


def test_erases_all_of_one_job_and_may_be_repeated(payloads: Payloads) -> None:
    for name, document in (("BODY", LARGE), ("OUTPUT#1.1", SMALL), ("OUTPUT#2.2", LARGE)):
        payloads.save(a_head(), name, document)
    payloads.save(a_head(id=OTHER), "BODY", LARGE)
    for _ in range(2):
        payloads.erase(JOB_ID)
        assert [payloads.load(JOB_ID, name) for name in ("BODY", "OUTPUT#1.1", "OUTPUT#2.2")] == [None] * 3
        assert payloads.load(OTHER, "BODY") == LARGE


def test_small_ones_stay_in_the_table(store: PayloadStore, bucket: Any, dynamodb: Any) -> None:
    store.save(a_head(), "BODY", {"text": "secret word " * 50_000})
    assert objects(bucket) == []
    item = DynamoDatabase(dynamodb, TABLES).get("jobs", f"JOB#{JOB_ID}", "BODY")  # type: ignore[arg-type]
    assert item is not None
    assert b"secret word" in unpack(item["z"])["text"].encode()
    assert item["expires_at"] == a_head().payloads_until


@pytest.mark.parametrize(("over", "place"), [(0, "z"), (1, "s3")])
def test_what_compresses_to_the_limit_is_the_last_in_the_table(
    store: PayloadStore, dynamodb: Any, over: int, place: str
) -> None:
    store.save(a_head(), "BODY", _packed_to(INLINE_BYTES + over))
    item = DynamoDatabase(dynamodb, TABLES).get("jobs", f"JOB#{JOB_ID}", "BODY")  # type: ignore[arg-type]
    assert item is not None
    assert place in item


def _packed_to(size: int) -> str:
    """A text whose JSON packs to `size` bytes: noise, cut where it fits."""
    text = base64.b64encode(random.Random(size).randbytes(size)).decode()
    low, high = size, len(text)
    while low < high:
        middle = (low + high) // 2
        if _size(text[:middle]) < size:
            low = middle + 1
        else:
            high = middle
    for length in range(low - 50, low + 50):
        if _size(text[:length]) == size:
            return text[:length]
    raise AssertionError("no such text")


def _size(text: str) -> int:
    return len(pack(text))


def test_large_ones_go_to_the_bucket_and_leave_it_again(store: PayloadStore, bucket: Any, dynamodb: Any) -> None:
    store.save(a_head(), "BODY", LARGE)
    store.save(a_head(), "OUTPUT#1.1", LARGE)
    assert objects(bucket) == [f"jobs/{JOB_ID}/BODY", f"jobs/{JOB_ID}/OUTPUT-1.1"]
    item = DynamoDatabase(dynamodb, TABLES).get("jobs", f"JOB#{JOB_ID}", "BODY")  # type: ignore[arg-type]
    assert item is not None
    assert "z" not in item
    store.drop(JOB_ID, "OUTPUT#1.1")
    assert objects(bucket) == [f"jobs/{JOB_ID}/BODY"]
    store.erase(JOB_ID)
    assert objects(bucket) == []
    assert DynamoDatabase(dynamodb, TABLES).query("jobs", f"JOB#{JOB_ID}") == []  # type: ignore[arg-type]


def test_makes_no_bucket_client_for_what_is_small(dynamodb: Any) -> None:
    def refuse() -> Any:
        raise AssertionError("the bucket is not needed")

    tables = DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]
    store = PayloadStore(tables, TABLES["jobs"], BUCKET, refuse, lambda: dynamodb, lambda: NOW)
    store.save(a_head(), "BODY", SMALL)
    assert store.load(JOB_ID, "BODY") == SMALL
    store.drop(JOB_ID, "BODY")
    assert store.load(JOB_ID, "BODY") is None


FILES = [(b"\x89PNG", "image/png"), (b"RIFF", "audio/wav")]


def test_small_facts_stand_beside_a_document(payloads: Payloads) -> None:
    facts = {"model": "small", "cost": 7, "error": {"code": "x"}}
    payloads.save(a_head(), "OUTPUT#1.1", SMALL, facts)
    payloads.save(a_head(), "OUTPUT#1.2", SMALL)
    assert payloads.facts(JOB_ID, "OUTPUT#1.1") == facts
    assert payloads.facts(JOB_ID, "OUTPUT#1.2") is None
    assert payloads.facts(JOB_ID, "OUTPUT#1.3") is None
    payloads.drop(JOB_ID, "OUTPUT#1.1")
    assert payloads.facts(JOB_ID, "OUTPUT#1.1") is None


SIZES = {"small": SMALL, "large": LARGE}


@pytest.mark.parametrize("before", SIZES)
@pytest.mark.parametrize("after", SIZES)
def test_a_document_is_replaced_and_what_stands_beside_it_stays(payloads: Payloads, before: str, after: str) -> None:
    facts = {"model": "small", "cost": 7}
    payloads.save(a_head(), "OUTPUT#1.1", [SIZES[before]], facts)
    for _ in range(2):
        payloads.replace(a_head(), "OUTPUT#1.1", SIZES[after])
        assert payloads.load(JOB_ID, "OUTPUT#1.1", fresh=True) == SIZES[after]
        assert payloads.facts(JOB_ID, "OUTPUT#1.1") == facts
    payloads.erase(JOB_ID)
    payloads.replace(a_head(), "OUTPUT#1.1", SMALL)
    assert payloads.load(JOB_ID, "OUTPUT#1.1") is None, "what was erased does not come back"


def test_nothing_is_left_in_the_bucket_of_what_was_replaced(store: PayloadStore, bucket: Any) -> None:
    store.save(a_head(), "OUTPUT#1.1", LARGE, files=FILES)
    store.replace(a_head(), "OUTPUT#1.1", SMALL)
    found = {key: bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in objects(bucket)}
    assert LARGE["text"][:99] not in str([unpack(body) for key, body in found.items() if key.endswith("1.1")])
    assert len(found) == 3, "and its files are there"
    store.drop(JOB_ID, "OUTPUT#1.1")
    assert objects(bucket) == []


class AsItCame(FakeDatabase):
    """Its replicas have only the first write of each item."""

    first: dict[str, Item] = {}  # noqa: RUF012 - of the one test

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        found = super().get(table, pk, sk)
        return self.first.setdefault(sk, found or {}) if eventual else found


def test_what_has_to_be_fresh_is_read_as_of_the_last_write() -> None:
    def refuse() -> Any:
        raise AssertionError("not needed")

    store = PayloadStore(AsItCame(), "jobs", BUCKET, refuse, refuse, lambda: NOW)
    store.save(a_head(), "OUTPUT#1.1", {"text": "as it came"})
    assert store.load(JOB_ID, "OUTPUT#1.1") == {"text": "as it came"}
    store.replace(a_head(), "OUTPUT#1.1", {"text": "changed"})
    assert store.load(JOB_ID, "OUTPUT#1.1") == {"text": "as it came"}, "then nothing is proved"
    assert store.load(JOB_ID, "OUTPUT#1.1", fresh=True) == {"text": "changed"}


def test_files_are_kept_with_their_types_and_go_with_their_document(store: PayloadStore, bucket: Any) -> None:
    keys = store.save(a_head(), "OUTPUT#1.1", SMALL, files=FILES).files
    found = [bucket.get_object(Bucket=BUCKET, Key=key) for key in keys]
    assert [(each["Body"].read(), each["ContentType"]) for each in found] == FILES
    store.drop(JOB_ID, "OUTPUT#1.1")
    assert objects(bucket) == []


def test_files_are_read_back_one_by_one_as_long_as_they_are_there(payloads: Payloads) -> None:
    payloads.save(a_head(), "OUTPUT#1.1", SMALL, files=FILES)
    read = [payloads.load_file(JOB_ID, "OUTPUT#1.1", number) for number in range(1, len(FILES) + 2)]
    assert read == [data for data, _ in FILES] + [None]
    assert payloads.load_file("job_of_another", "OUTPUT#1.1", 1) is None
    payloads.erase(JOB_ID)
    assert payloads.load_file(JOB_ID, "OUTPUT#1.1", 1) is None


def test_a_link_leads_to_one_file_for_a_while(store: PayloadStore) -> None:
    keys = store.save(a_head(), "OUTPUT#1.1", SMALL, files=FILES).files
    link = store.link(JOB_ID, "OUTPUT#1.1", 2)
    assert f"{BUCKET}" in link
    assert keys[1] in link
    assert "Expires" in link


def test_all_that_is_kept_of_a_job_is_erased_whatever_its_name(store: PayloadStore, bucket: Any) -> None:
    store.save(a_head(), "BODY", SMALL)
    store.save(a_head(), "MEDIA#ab", {}, files=FILES[:1])
    store.erase(JOB_ID)
    assert (objects(bucket), store.load(JOB_ID, "MEDIA#ab")) == ([], None)


def test_what_is_handed_to_a_service_goes_with_the_job_and_so_does_what_it_writes(
    store: PayloadStore, bucket: Any
) -> None:
    there, to_come = store.hand(a_head(), "b/in.jsonl", b"{}"), store.hand(a_head(), "b/1/in.jsonl.out")
    assert (there, to_come) == (f"services/{JOB_ID}/b/in.jsonl", f"services/{JOB_ID}/b/1/in.jsonl.out")
    assert objects(bucket) == [there], "what is to come is not there yet"
    bucket.put_object(Bucket=BUCKET, Key=to_come, Body=b"{}")
    for _ in range(2):
        store.erase(JOB_ID)
        assert objects(bucket) == []


@pytest.mark.parametrize("place", ["z", "s3"])
def test_what_was_kept_before_there_was_a_dictionary_is_read(
    store: PayloadStore, bucket: Any, dynamodb: Any, place: str
) -> None:
    packed, facts = zlib.compress(json.dumps(SMALL).encode(), 6), {"model": "small", "cost": 7}
    bucket.put_object(Bucket=BUCKET, Key="old", Body=packed)
    held = {"z": packed} if place == "z" else {"s3": "old"}
    old = {"pk": f"JOB#{JOB_ID}", "sk": "BODY", "facts": facts, **held}
    DynamoDatabase(dynamodb, TABLES).write(Put("jobs", old))  # type: ignore[arg-type]
    assert store.load(JOB_ID, "BODY") == SMALL
    assert store.facts(JOB_ID, "BODY") == facts


class Behind(FakeDatabase):
    """Its replicas have seen nothing yet."""

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        return None if eventual else FakeDatabase.get(self, table, pk, sk)


def test_a_document_is_found_before_every_replica_has_it() -> None:
    def refuse() -> Any:
        raise AssertionError("no client is needed")

    store = PayloadStore(Behind(), TABLES["jobs"], BUCKET, refuse, refuse, lambda: NOW)
    store.save(a_head(), "BODY", SMALL)
    assert store.load(JOB_ID, "BODY") == SMALL
    assert store.load(JOB_ID, "OUTPUT#1.1") is None


@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_an_output_is_read_together_with_the_notes(store: PayloadStore, dynamodb: Any, document: Any) -> None:
    jobs, head = Jobs(DynamoDatabase(dynamodb, TABLES), ()), a_head(output="OUTPUT#1.2")  # type: ignore[arg-type]
    for name in ("BODY", "OUTPUT#1.1", "OUTPUT#1.3"):
        store.save(head, name, {})
    store.save(head, "OUTPUT#1.2", document)
    jobs.note(head, "ROUTE#1", {"route": []})
    jobs.note(head, "ASKED", {"metadata": {}})
    notes, item = jobs.around(head)
    assert sorted(notes) == ["ASKED", "ROUTE#1"]
    asked: list[str] = []
    dynamodb.meta.events.register("provide-client-params.dynamodb.*", lambda model, **_: asked.append(model.name))
    assert store.load(JOB_ID, "OUTPUT#1.2", item) == document
    assert asked == []


def test_without_an_output_there_are_the_notes(store: PayloadStore, dynamodb: Any) -> None:
    jobs = Jobs(DynamoDatabase(dynamodb, TABLES), ())  # type: ignore[arg-type]
    jobs.note(a_head(), "ASKED", {"metadata": {}})
    notes, item = jobs.around(a_head())
    assert (list(notes), item) == (["ASKED"], None)
    store.save(a_head(), "OUTPUT#1.1", SMALL)
    store.drop(JOB_ID, "OUTPUT#1.1")
    notes, item = jobs.around(a_head(output="OUTPUT#1.1"))
    assert (list(notes), item, store.load(JOB_ID, "OUTPUT#1.1", item)) == (["ASKED"], None, None)


def test_one_look_at_a_job_reads_neither_its_request_nor_twice(store: PayloadStore, dynamodb: Any) -> None:
    jobs, head = Jobs(DynamoDatabase(dynamodb, TABLES), ()), a_head(output="OUTPUT#1.2")  # type: ignore[arg-type]
    jobs.create(head)
    for name in ("BODY", "OUTPUT#1.1", "OUTPUT#1.2"):
        store.save(head, name, {"name": name})
    jobs.note(head, "ASKED", {"metadata": {}})
    replies: list[dict[str, Any]] = []
    dynamodb.meta.events.register("after-call.dynamodb.*", lambda parsed, **_: replies.append(parsed))
    seen = jobs.look(JOB_ID)
    assert seen is not None
    assert (seen.head, list(seen.notes)) == (head, ["ASKED"])
    assert store.load(JOB_ID, "OUTPUT#1.2", seen.output) == {"name": "OUTPUT#1.2"}
    (reply,) = replies
    assert "BODY" not in [item["sk"]["S"] for item in reply["Items"]]


def test_a_look_at_a_job_that_is_not_there_or_has_no_output(store: PayloadStore, dynamodb: Any) -> None:
    jobs = Jobs(DynamoDatabase(dynamodb, TABLES), ())  # type: ignore[arg-type]
    jobs.note(a_head(), "ASKED", {"metadata": {}})
    assert jobs.look(JOB_ID) is None, "its notes are no job"
    jobs.create(a_head())
    store.save(a_head(), "OUTPUT#1.1", SMALL)
    seen = jobs.look(JOB_ID)
    assert seen is not None
    assert (seen.head, seen.output) == (a_head(), None), "what is not its answer is not shown"
