"""Turns of conversations: the fake and the adapter keep the same promises; the adapter also has to choose the place."""

import base64
import random
from dataclasses import dataclass
from typing import Any

import pytest
from broker.cloud.conversations import INLINE_BYTES, ConversationStore
from broker.cloud.database import DynamoDatabase
from broker.context.conversations import Turn, Turns
from broker.storage import Database, Put

from tests.adapters.conftest import BUCKET, TABLES, Client
from tests.fakes.conversations import FakeTurns
from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, SECOND

LATER = NOW // SECOND + 3600


def turn(number: int, text: str = "Grüße 👋", at: int | None = None) -> Turn:
    message = {"role": "user", "content": text}
    return Turn(f"job_{number:032x}", NOW + number if at is None else at, number, [message])


def noise(size: int) -> str:
    return base64.b64encode(random.Random(7).randbytes(size)).decode()


@dataclass
class Keeper:
    """Turns, and the tables that the ends of jobs write to."""

    turns: Turns
    database: Database

    def append(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> Put:
        """As the end of a job does it."""
        staged = self.turns.stage(tenant, conversation, turn, expires_at)
        self.database.write(staged)
        self.turns.heed(staged)
        return staged


@pytest.fixture(params=["fake", "adapter"])
def keeper(request: pytest.FixtureRequest) -> Keeper:
    if request.param == "fake":
        database = FakeDatabase()
        return Keeper(FakeTurns(database), database)
    kept: ConversationStore = request.getfixturevalue("kept")
    return Keeper(kept, DynamoDatabase(request.getfixturevalue("dynamodb"), TABLES))  # type: ignore[arg-type]


@pytest.fixture
def kept(client: Client, dynamodb: Any, bucket: Any) -> ConversationStore:
    return ConversationStore(TABLES["jobs"], BUCKET, lambda: bucket, lambda: dynamodb)


def ids(keeper: Keeper, tenant: str = "acme", conversation: str = "c1", **more: Any) -> list[int]:
    asked: dict[str, Any] = {"limit": 10, "now": NOW, **more}
    return [int(each.job_id[4:], 16) for each in keeper.turns.newest(tenant, conversation, **asked)]


def test_the_newest_come_first_whatever_order_they_were_kept_in(keeper: Keeper) -> None:
    for number in (3, 1, 2, 4):
        keeper.append("acme", "c1", turn(number), LATER)
    assert ids(keeper) == [4, 3, 2, 1]
    assert ids(keeper, limit=2) == [4, 3]
    assert ids(keeper, limit=2, before=f"job_{3:032x}") == [2, 1]
    newest = keeper.turns.newest("acme", "c1", limit=1, now=NOW)[0]
    assert (newest.at, newest.tokens, newest.load()) == (NOW + 4, 4, turn(4).messages)


def test_keeping_twice_is_keeping_once(keeper: Keeper) -> None:
    for _ in range(2):
        keeper.append("acme", "c1", turn(1), LATER)
    assert ids(keeper) == [1]


def test_conversations_and_tenants_do_not_meet(keeper: Keeper) -> None:
    keeper.append("acme", "c1", turn(1), LATER)
    keeper.append("acme", "c2", turn(2), LATER)
    keeper.append("other", "c1", turn(3), LATER)
    assert (ids(keeper), ids(keeper, "acme", "c2"), ids(keeper, "other"), ids(keeper, "none")) == ([1], [2], [3], [])
    keeper.turns.erase("acme", "c1", NOW + 10)
    assert (ids(keeper), ids(keeper, "acme", "c2"), ids(keeper, "other")) == ([], [2], [3])


def test_what_has_expired_is_gone_at_once(keeper: Keeper) -> None:
    keeper.append("acme", "c1", turn(1), NOW // SECOND + 5)
    keeper.append("acme", "c1", turn(2), NOW // SECOND + 10)
    assert ids(keeper, now=NOW + 5 * SECOND) == [2]


def test_an_erasure_may_be_repeated_and_keeps_out_what_was_under_way(keeper: Keeper) -> None:
    for number in range(1, 5):
        keeper.append("acme", "c1", turn(number, noise(INLINE_BYTES) if number == 2 else "x"), LATER)
    for _ in range(2):
        keeper.turns.erase("acme", "c1", NOW + 10)
        assert ids(keeper) == []
    keeper.append("acme", "c1", turn(5), LATER)
    assert ids(keeper) == [], "its job was accepted before"
    keeper.append("acme", "c1", turn(6, at=NOW + 11), LATER)
    assert ids(keeper) == [6]


def test_large_ones_go_to_the_bucket_and_leave_it_again(kept: ConversationStore, bucket: Any, dynamodb: Any) -> None:
    large = turn(2, noise(INLINE_BYTES + 1_000))
    database = DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]
    for each in (turn(1), large):
        database.write(kept.stage("acme", "c1", each, LATER))
    (found,) = bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert found["Key"] == f"conversations/acme/c1/{large.job_id}"
    assert [each.load() for each in kept.newest("acme", "c1", limit=5, now=NOW)] == [large.messages, turn(1).messages]
    kept.erase("acme", "c1", NOW + 10)
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    (left,) = dynamodb.scan(TableName=TABLES["jobs"])["Items"]
    assert left["sk"] == {"S": "ERASED"}
    assert int(left["expires_at"]["N"]) > NOW // SECOND


def test_a_turn_whose_commit_failed_leaves_nothing(kept: ConversationStore, bucket: Any) -> None:
    staged = kept.stage("acme", "c1", turn(1, noise(INLINE_BYTES + 1_000)), LATER)
    assert kept.newest("acme", "c1", limit=5, now=NOW) == []
    for _ in range(2):
        kept.drop(staged)
        assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []


def test_one_turn_goes_and_the_others_stay(keeper: Keeper) -> None:
    for number in (1, 2, 3):
        keeper.append("acme", "c1", turn(number), LATER)
    keeper.append("other", "c1", turn(2), LATER)
    for _ in range(2):
        keeper.turns.erase_turn("acme", "c1", turn(2).job_id)
        assert ids(keeper) == [3, 1]
    keeper.turns.erase_turn("acme", "none", turn(1).job_id)
    assert ids(keeper, "other") == [2]
    keeper.append("acme", "c1", turn(4), LATER)
    assert ids(keeper) == [4, 3, 1], "the conversation goes on"


def test_an_erased_turn_leaves_the_bucket(kept: ConversationStore, bucket: Any, dynamodb: Any) -> None:
    large = turn(1, noise(INLINE_BYTES + 1_000))
    database = DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]
    staged = kept.stage("acme", "c1", large, LATER)  # and its function died before the commit
    kept.erase_turn("acme", "c1", large.job_id)
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    for _ in range(2):
        staged = kept.stage("acme", "c1", large, LATER)
        database.write(staged)
    kept.heed(staged)
    assert kept.newest("acme", "c1", limit=1, now=NOW)[0].load() == large.messages
    kept.erase_turn("acme", "c1", large.job_id)
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    kept.heed(kept.stage("acme", "c1", large, LATER))  # its end is repeated
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []


def test_makes_no_bucket_client_for_what_is_small(dynamodb: Any) -> None:
    def refuse() -> Any:
        raise AssertionError("the bucket is not needed")

    store = ConversationStore(TABLES["jobs"], BUCKET, refuse, lambda: dynamodb)
    DynamoDatabase(dynamodb, TABLES).write(store.stage("acme", "c1", turn(1), LATER))  # type: ignore[arg-type]
    assert store.newest("acme", "c1", limit=1, now=NOW)[0].load() == turn(1).messages
    store.erase("acme", "c1", NOW)
