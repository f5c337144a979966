"""Turns of conversations: the fake and the adapter keep the same promises; the adapter also has to choose the place."""

import base64
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from broker.cloud.conversations import INLINE_BYTES, ConversationStore
from broker.cloud.database import DynamoDatabase
from broker.context.conversations import NEXT, Turn, Turns
from broker.context.summaries import Summary, SummaryPlace
from broker.storage import ConditionFailed, Database, Put

from tests.adapters.conftest import BUCKET, TABLES, Client
from tests.fakes.conversations import FakeTurns
from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, SECOND

LATER = NOW // SECOND + 3600


def turn(number: int, text: str = "Grüße 👋", at: int | None = None) -> Turn:
    message = {"role": "user", "content": text}
    return Turn(f"job_{number:032x}", NOW + number if at is None else at, number, [message], model="small")


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
        self.turns.recheck(staged)
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
    assert (newest.at, newest.tokens, newest.load(), newest.model) == (NOW + 4, 4, turn(4).messages, "small")


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


@pytest.mark.parametrize("text", ["small", noise(INLINE_BYTES + 9_000)], ids=["in the table", "in the bucket"])
def test_what_placeholders_stand_for_is_kept_with_the_turn(keeper: Keeper, text: str) -> None:
    made = replace(turn(2, text), mapping={"EMAIL_1": "ann@example.com"})
    for each in (turn(1), made):
        keeper.append("acme", "c1", each, LATER)
    second, first = keeper.turns.newest("acme", "c1", limit=9, now=NOW)
    assert (second.load(), second.mapping()) == (made.messages, made.mapping)
    assert (first.load(), first.mapping()) == (turn(1).messages, {})
    keeper.turns.erase_turn("acme", "c1", made.job_id)
    assert [each.mapping() for each in keeper.turns.newest("acme", "c1", limit=9, now=NOW)] == [{}]


def test_a_turn_that_was_erased_since_stands_for_nothing(kept: ConversationStore, dynamodb: Any) -> None:
    made = replace(turn(1, noise(INLINE_BYTES + 9_000)), mapping={"EMAIL_1": "ann@example.com"})
    DynamoDatabase(dynamodb, TABLES).write(kept.stage("acme", "c1", made, LATER))  # type: ignore[arg-type]
    (found,) = kept.newest("acme", "c1", limit=9, now=NOW)
    kept.erase_turn("acme", "c1", made.job_id)
    assert (found.load(), found.mapping()) == ([], {})


def test_what_placeholders_stand_for_is_kept_with_the_summary(keeper: Keeper) -> None:
    made = replace(summary(2), mapping={"EMAIL_1": "ann@example.com"})
    for number in (1, 2):
        keeper.append("acme", "c1", turn(number), LATER)
    assert keep(keeper, made, [1, 2])
    assert standing(keeper) == made
    keeper.turns.erase_turn("acme", "c1", turn(1).job_id)
    assert standing(keeper) is None


def summary(through: int, text: str = "Grüße an alle.", expires_at: int = LATER) -> Summary:
    return Summary(turn(through).job_id, 2 * through, 100 * through, expires_at, text, by=["large", "small"])


def keep(keeper: Keeper, made: Summary, turns: list[int], since: str = "", token: str | None = None) -> bool:
    """As a job does it: the write over the token that it read, then a look at turns that came late."""
    staged = keeper.turns.stage_summary("acme", "c1", made, token)
    try:
        keeper.database.write(staged)
    except ConditionFailed:
        return False
    keeper.turns.verify_turns(staged, [turn(number).job_id for number in turns], since, NOW)
    return True


def standing(keeper: Keeper, now: int = NOW) -> Summary | None:
    return keeper.turns.place("acme", "c1", now).summary


@pytest.fixture
def talk(keeper: Keeper) -> Keeper:
    """A conversation of three turns with a summary of the first two."""
    for number in (1, 2, 3):
        keeper.append("acme", "c1", turn(number), LATER)
    assert keep(keeper, summary(2), [1, 2])
    return keeper


def test_a_summary_stands_for_turns_of_its_conversation(talk: Keeper) -> None:
    assert standing(talk) == summary(2)
    assert talk.turns.place("other", "c1", NOW) == talk.turns.place("acme", "c2", NOW) == SummaryPlace(None, None)
    assert ids(talk, since=f"{turn(2).job_id}{NEXT}") == [3]
    assert ids(talk) == [3, 2, 1], "turns stay as they are"


def test_a_summary_takes_the_place_that_was_read_and_no_other(talk: Keeper) -> None:
    assert not keep(talk, summary(3), [1, 2, 3]), "there is one by now"
    token = talk.turns.place("acme", "c1", NOW).version_token
    assert keep(talk, summary(3, "All."), [3], f"{turn(2).job_id}{NEXT}", token)
    assert not keep(talk, summary(3, "Again."), [3], f"{turn(2).job_id}{NEXT}", token)
    assert standing(talk) == summary(3, "All.")


def test_a_summary_that_has_expired_does_not_stand(keeper: Keeper) -> None:
    keeper.append("acme", "c1", turn(1), LATER)
    keep(keeper, summary(1, expires_at=NOW // SECOND + 5), [1])
    assert standing(keeper, NOW + 4 * SECOND) is not None
    place = keeper.turns.place("acme", "c1", NOW + 5 * SECOND)
    assert place.summary is None
    assert keep(keeper, summary(1, "Anew."), [1], token=place.version_token)


@pytest.mark.parametrize("late", [0, 2])
def test_a_turn_that_comes_behind_a_summary_takes_it_away(keeper: Keeper, late: int) -> None:
    for number in (1, 3, 4):
        keeper.append("acme", "c1", turn(number), LATER)
    keep(keeper, summary(3), [1, 3])
    keeper.append("acme", "c1", turn(5), LATER)
    assert standing(keeper) is not None
    keeper.append("acme", "c1", turn(late), LATER)
    assert standing(keeper) is None


@pytest.mark.parametrize("there", [[1, 2, 3], [1], [2]], ids=["one more", "one less", "another"])
def test_a_summary_of_other_turns_than_there_are_is_taken_away(keeper: Keeper, there: list[int]) -> None:
    for number in there:
        keeper.append("acme", "c1", turn(number), LATER)
    assert keep(keeper, summary(3), [1, 3])
    assert standing(keeper) is None


def test_turns_below_the_ones_that_were_read_do_not_count(talk: Keeper) -> None:
    token = talk.turns.place("acme", "c1", NOW).version_token
    assert keep(talk, summary(3), [2, 3], turn(2).job_id, token)
    assert standing(talk) == summary(3)


@pytest.mark.parametrize("erased", [1, 2])
def test_a_summary_goes_with_each_turn_that_it_is_of(talk: Keeper, erased: int) -> None:
    token = talk.turns.place("acme", "c1", NOW).version_token
    for _ in range(2):
        talk.turns.erase_turn("acme", "c1", turn(erased).job_id)
        assert standing(talk) is None
    assert not keep(talk, summary(3), [3], f"{turn(2).job_id}{NEXT}", token), "it would be made of it"


def test_a_summary_stays_when_a_turn_after_it_goes(talk: Keeper) -> None:
    token = talk.turns.place("acme", "c1", NOW).version_token
    for _ in range(2):
        talk.turns.erase_turn("acme", "c1", turn(3).job_id)
        assert standing(talk) == summary(2)
    assert not keep(talk, summary(3), [3], f"{turn(2).job_id}{NEXT}", token), "it would be of what is gone"


def test_the_first_summary_is_not_kept_when_a_turn_was_erased_while_it_was_made(keeper: Keeper) -> None:
    for number in (1, 2):
        keeper.append("acme", "c1", turn(number), LATER)
    token = keeper.turns.place("acme", "c1", NOW).version_token
    keeper.turns.erase_turn("acme", "c1", turn(1).job_id)
    assert not keep(keeper, summary(2), [1, 2], token=token)


def test_a_summary_goes_with_its_conversation(talk: Keeper) -> None:
    token = talk.turns.place("acme", "c1", NOW).version_token
    for _ in range(2):
        talk.turns.erase("acme", "c1", NOW + 10)
        assert standing(talk) is None
    assert not keep(talk, summary(3), [3], token=token)


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
    left = dynamodb.scan(TableName=TABLES["jobs"])["Items"]
    assert sorted(item["sk"]["S"] for item in left) == ["ERASED", "SUMMARY"], "version tokens, and no words"
    assert all(item.keys() <= {"pk", "sk", "at", "mark", "expires_at"} for item in left)
    assert all(int(item["expires_at"]["N"]) > NOW // SECOND for item in left)


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
    kept.recheck(staged)
    assert kept.newest("acme", "c1", limit=1, now=NOW)[0].load() == large.messages
    kept.erase_turn("acme", "c1", large.job_id)
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    kept.recheck(kept.stage("acme", "c1", large, LATER))  # its end is repeated
    assert bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []


def test_makes_no_bucket_client_for_what_is_small(dynamodb: Any) -> None:
    def refuse() -> Any:
        raise AssertionError("the bucket is not needed")

    store = ConversationStore(TABLES["jobs"], BUCKET, refuse, lambda: dynamodb)
    DynamoDatabase(dynamodb, TABLES).write(store.stage("acme", "c1", turn(1), LATER))  # type: ignore[arg-type]
    assert store.newest("acme", "c1", limit=1, now=NOW)[0].load() == turn(1).messages
    store.erase("acme", "c1", NOW)
