"""What clients make of conversations themselves: records, turns that no job brings, and turns that are changed."""

from typing import Any

from broker.cloud.conversations import INLINE_BYTES, ConversationStore
from broker.context.conversations import Turn
from broker.context.records import Record

from tests.adapters.conftest import BUCKET
from tests.adapters.test_conversations import LATER, Keeper, keeper, kept, noise, turn
from tests.fakes.world import NOW, SECOND

__all__ = ["keeper", "kept"]

RECORD = Record(NOW, LATER, {"topic": "Grüße 👋", "": ""})


def words(keeper: Keeper, tenant: str = "acme") -> list[str]:
    """What is kept of a conversation, newest first."""
    found = keeper.turns.newest(tenant, "c1", limit=100, now=NOW)
    return [message["content"] for each in found for message in each.load()]


def test_a_record_is_its_tenants_takes_the_place_of_the_last_and_goes_with_all(keeper: Keeper) -> None:
    turns = keeper.turns
    assert turns.record("acme", "c1", NOW) is None
    turns.keep_record("acme", "c1", RECORD)
    assert turns.record("acme", "c1", NOW) == RECORD
    assert turns.record("rich", "c1", NOW) is None is turns.record("acme", "c2", NOW)
    changed = Record(NOW, LATER + 1)
    turns.keep_record("acme", "c1", changed)
    assert turns.record("acme", "c1", NOW) == changed
    assert turns.record("acme", "c1", (LATER + 1) * SECOND) is None, "from that second on"
    turns.erase("rich", "c1", NOW)
    assert turns.record("acme", "c1", NOW) == changed
    turns.erase("acme", "c1", NOW)
    assert turns.record("acme", "c1", NOW) is None


def test_a_turn_that_no_job_brings_is_one_like_any(keeper: Keeper) -> None:
    keeper.turns.add("acme", "c1", turn(1, "one"), LATER)
    keeper.append("acme", "c1", turn(2, "two"), LATER)
    assert words(keeper) == ["two", "one"] and words(keeper, "rich") == []


def test_a_turn_is_changed_as_it_was_read_and_no_other(keeper: Keeper) -> None:
    keeper.append("acme", "c1", turn(9, "nine"), LATER)
    (read,) = keeper.turns.newest("acme", "c1", limit=1, now=NOW)
    less = Turn(read.job_id, read.at, 8, [{"role": "user", "content": "eight"}])
    assert keeper.turns.change("acme", "c1", read, less)
    assert words(keeper) == ["eight"]
    assert not keeper.turns.change("acme", "c1", read, less), "it is another one since"
    (again,) = keeper.turns.newest("acme", "c1", limit=1, now=NOW)
    keeper.turns.erase_turn("acme", "c1", read.job_id)
    assert not keeper.turns.change("acme", "c1", again, less) and words(keeper) == [], "what was erased stays so"


def test_large_ones_leave_nothing_behind_in_the_bucket(kept: ConversationStore, bucket: Any, dynamodb: Any) -> None:
    def keys() -> list[str]:
        listed = bucket.list_objects_v2(Bucket=BUCKET)
        return [each["Key"] for each in listed.get("Contents", []) if each["Key"].startswith("conversations/")]

    large = noise(4 * INLINE_BYTES)
    kept.add("acme", "c9", turn(9, large), LATER)
    (read,) = kept.newest("acme", "c9", limit=1, now=NOW)
    first = keys()
    less = Turn(read.job_id, read.at, 8, [{"role": "user", "content": large[1:]}])
    assert kept.change("acme", "c9", read, less)
    (changed,) = keys()
    assert [changed] != first and kept.newest("acme", "c9", limit=1, now=NOW)[0].load() == less.messages
    assert not kept.change("acme", "c9", read, less)
    assert keys() == [changed], "a change that came too late leaves nothing"
    kept.erase_turn("acme", "c9", read.job_id)
    assert keys() == []
    kept.add("acme", "c9", turn(9, large), LATER)
    (read,) = kept.newest("acme", "c9", limit=1, now=NOW)
    assert kept.change("acme", "c9", read, less)
    kept.erase("acme", "c9", NOW + 99)
    assert keys() == []
