"""Long texts of prompts: beside the table, there before what points to them, read where they are needed and no more."""

import hashlib
import json
import zlib
from typing import Any

import pytest
from broker.errors import Conflict, InvalidRequest, Unavailable
from broker.prompts.templates import KEEP_MS, MOST_KEPT_CHARS, Prompts
from broker.prompts.texts import INLINE_BYTES, MOST_BYTES, MOST_UNPACKED, PACKED_FROM, keep, read
from broker.registry.applying import MOST_SHOWN, apply, shown
from broker.registry.document import parse_registry
from broker.registry.plan import Plan, make_plan, plan_entry, plan_label, plan_rollback
from broker.registry.prompts import PromptEntry
from broker.storage import Put

from tests.fakes.database import Crash
from tests.fakes.texts import FakeTexts, long_text
from tests.fakes.world import NOW, World

LONG, OTHER = long_text(400_000), long_text(400_000, seed=5)
ITEM_BYTES = 10_000
"""More than all else that an item of these prompts has."""


def prompt(user: str = LONG, **more: Any) -> dict[str, Any]:
    return {"id": "p", "system": "Be brief.", "user": user, **more}


def applied(world: World, *prompts: dict[str, Any], prune: bool = False, **kinds: Any) -> Plan:
    document = parse_registry({"prompts": list(prompts), **kinds})
    return apply(world.registry(), document, by="ops", now=NOW, prune=prune)


def registered(*prompts: dict[str, Any]) -> World:
    world = World()
    for each in prompts:
        applied(world, each)
    return world


def filled(prompts: Prompts, now: int = NOW, **wanted: Any) -> str:
    return prompts.fill({"id": "p", **wanted}, "key", now).messages[-1]["content"]


def test_a_long_prompt_is_filled_and_no_item_has_its_text() -> None:
    world = registered(prompt(), prompt(OTHER), prompt("Short."))
    assert filled(world.prompts()) == "Short."
    assert [filled(world.prompts(), version=number) for number in (1, 2, 3)] == [LONG, OTHER, "Short."]
    sizes = {key: len(str(item)) for key, item in world.database._items.items()}
    assert max(sizes.values()) < ITEM_BYTES, sizes
    applied(world, prompt())
    assert filled(world.prompts()) == LONG


def test_versions_with_the_same_texts_share_them() -> None:
    world = registered(prompt(), prompt(description="The same words."), prompt(id="q"))
    assert [len(packed) > INLINE_BYTES for packed in world.texts.kept.values()] == [True]
    assert filled(world.prompts(), version=2) == LONG


def test_a_text_is_there_before_anything_points_to_it() -> None:
    world = World()
    world.database.crash_in = 0
    with pytest.raises(Crash):
        applied(world, prompt())
    assert len(world.texts.kept) == 1
    world.database.crash_in = None
    assert world.database._items == {}
    applied(world, prompt())
    assert filled(world.prompts()) == LONG


def test_who_comes_second_writes_nothing_that_shows() -> None:
    world = registered(prompt("One."))
    change = plan_entry(world.registry(), "prompts", PromptEntry.model_validate(prompt()))
    assert change is not None
    applied(world, prompt("Two."))
    with pytest.raises(Conflict):
        world.registry().write(change, "late", NOW)
    assert filled(world.prompts()) == "Two."


@pytest.mark.parametrize(
    ("texts", "attributes"),
    [
        ({"user": "x" * (PACKED_FROM - 1)}, {"user"}),
        ({"user": "word " * (PACKED_FROM // 5)}, {"z"}),
        ({"system": "é" * (PACKED_FROM // 4), "user": "é" * (PACKED_FROM // 4)}, {"z"}),
        ({"system": "Be brief.", "user": LONG}, {"texts"}),
    ],
)
def test_where_texts_lie_goes_by_their_size(texts: dict[str, str], attributes: set[str]) -> None:
    kept = keep(texts)
    assert kept.attributes.keys() == attributes
    assert (kept.apart is not None) == ("texts" in attributes)
    store = FakeTexts()
    if kept.apart is not None:
        store.put(kept.apart.digest, kept.apart.packed)
    assert read(kept.attributes, store) == texts


def test_items_from_before_are_read_whatever_their_size() -> None:
    world = World()
    old = {"system": "Be brief.", "user": "words" * (MOST_BYTES // 4)}
    items = {1: {"user": "plain"}, 2: {"z": zlib.compress(json.dumps(old).encode(), 9)}}
    for number, item in items.items():
        world.register({"pk": "PROMPT#p", "sk": f"V#{number:04}", "version": number, **item})
    assert filled(world.prompts(), version=1) == "plain"
    assert filled(world.prompts(), version=2) == old["user"]


def test_history_and_single_versions() -> None:
    world = registered(prompt(), prompt(OTHER), prompt("Short."))
    world.texts.reads.clear()
    listed = [each.listed() for each in world.registry().history("prompts", "p")]
    assert world.texts.reads == [], "a list does not read them"
    assert [each["omitted"] for each in listed] == [[], ["system", "user"], ["system", "user"]]
    assert [each["fields"] for each in listed] == [["user"], ["user"], []]
    assert listed[0]["entry"] == prompt("Short.") and listed[1]["entry"] == {"id": "p"}
    for number, text in ((1, LONG), (2, OTHER), (3, "Short.")):
        one = world.registry().get("prompts", "p", number).to_dict()
        assert (one["entry"], one["omitted"]) == (prompt(text), [])


def test_a_rollback_brings_a_long_text_back() -> None:
    world = registered(prompt(), prompt("Short."), prompt(OTHER))
    for wanted, number, text in ((1, 4, LONG), (2, 5, "Short."), (3, 6, OTHER)):
        change = plan_rollback(world.registry(), "prompts", "p", wanted)
        assert change is not None and set(change.fields) == {"user"}
        record = world.registry().write(change, "ops", NOW)
        assert (record.version, record.content) == (number, prompt(text))
        assert filled(world.prompts()) == text
    assert plan_rollback(world.registry(), "prompts", "p", 3) is None


def test_a_plan_compares_long_texts_and_shows_their_beginnings() -> None:
    world = registered(prompt())
    assert make_plan(world.registry(), parse_registry({"prompts": [prompt()]})).changes == ()
    (change,) = shown(make_plan(world.registry(), parse_registry({"prompts": [prompt(OTHER)]})))["changes"]
    (field,) = change["fields"]
    assert field == {"name": "user", "old": f"{LONG[:MOST_SHOWN]}…", "new": f"{OTHER[:MOST_SHOWN]}…"}
    with pytest.raises(InvalidRequest, match="version 1 with other words"):
        applied(world, prompt(OTHER, version=1))


def test_who_does_not_look_at_a_text_does_not_read_it() -> None:
    world = registered(prompt(), prompt(OTHER), prompt(id="q"))
    world.texts.reads.clear()
    applied(world, {"id": "new", "user": "Short."}, prune=True, tenants=[{"id": "acme"}])
    labels = plan_label(world.registry(), "p", "production", [])
    assert labels is None
    applied(world, labels=[{"id": "p", "labels": {"production": [{"version": 1}]}}])
    assert set(world.registry().all("prompts")) == {"p", "q", "new"}
    assert world.texts.reads == []


def test_a_process_reads_a_text_once_and_keeps_no_more_than_it_has_room_for() -> None:
    world = registered(prompt())
    prompts = world.prompts()
    for number in range(3):
        assert filled(prompts, NOW + number * KEEP_MS) == filled(prompts, version=1) == LONG
    assert len(world.texts.reads) == 1
    size = MOST_BYTES - 100
    many = [f"big-{number}" for number in range(MOST_KEPT_CHARS // size + 1)]
    for seed, name in enumerate(many):
        applied(world, prompt(long_text(size, seed), id=name))
        prompts.fill({"id": name}, "key", NOW)
    assert sum(template.size for template in prompts._versions.values()) <= MOST_KEPT_CHARS
    before = len(world.texts.reads)
    prompts.fill({"id": many[-1]}, "key", NOW)
    assert len(world.texts.reads) == before, "the newest are kept"
    assert filled(prompts) == LONG
    assert len(world.texts.reads) == before + 1


def lost(world: World) -> dict[str, bytes]:
    kept, world.texts.kept = world.texts.kept, {}
    return kept


def test_a_text_that_is_not_there_is_an_error_that_passes() -> None:
    world = registered(prompt())
    prompts, kept = world.prompts(), lost(world)
    for wanted in ({}, {"version": 1}):
        with pytest.raises(Unavailable) as failure:
            filled(prompts, **wanted)
        assert (failure.value.code, failure.value.status) == ("prompt_text_missing", 503)
        assert failure.value.retry_after
    for look in (
        lambda: world.registry().get("prompts", "p").to_dict(),
        lambda: make_plan(world.registry(), parse_registry({"prompts": [prompt(OTHER)]})),
    ):
        with pytest.raises(Unavailable):
            look()
    assert world.registry().history("prompts", "p")[0].listed()["id"] == "p"
    world.texts.kept = kept
    assert filled(prompts) == LONG


BOMB = zlib.compress(b'"' + b" " * MOST_UNPACKED + b'"', 9)


@pytest.mark.parametrize("packed", [zlib.compress(b'{"user": "Other words."}'), b"", b"noise"])
def test_another_text_is_not_taken_for_it(packed: bytes) -> None:
    world = registered(prompt())
    world.texts.kept = dict.fromkeys(world.texts.kept, packed)
    with pytest.raises(Unavailable) as failure:
        filled(world.prompts())
    assert failure.value.code == "prompt_text_changed"


def test_a_text_that_would_fill_the_memory_is_not_unpacked() -> None:
    world, digest = World(), hashlib.sha256(BOMB).hexdigest()
    assert len(BOMB) < INLINE_BYTES
    world.texts.put(digest, BOMB)
    pointer = {"sha256": digest, "parts": ["user"]}
    world.database.write(Put("registry", {"pk": "PROMPT#p", "sk": "LATEST", "version": 1, "texts": pointer}))
    with pytest.raises(Unavailable) as failure:
        filled(world.prompts())
    assert failure.value.code == "prompt_text_changed"


HALF = "é" * (MOST_BYTES // 4)


@pytest.mark.parametrize(
    ("texts", "param"),
    [
        ({"user": "x" * (MOST_BYTES + 1)}, "prompts.1.user"),
        ({"system": "x" * (MOST_BYTES + 1), "user": "x"}, "prompts.1.system"),
        ({"system": HALF, "user": f"{HALF}x"}, "prompts.1.user"),
    ],
)
def test_texts_that_are_too_long_are_refused_and_the_field_is_named(texts: dict[str, str], param: str) -> None:
    world = World()
    with pytest.raises(InvalidRequest) as failure:
        applied(world, {"id": "first", "user": "x"}, {"id": "p", **texts})
    assert failure.value.param == param
    assert "more than 2000000 bytes" in failure.value.message
    assert (world.database._items, world.texts.kept) == ({}, {})


def test_the_longest_texts_are_taken() -> None:
    world = registered({"id": "p", "system": HALF, "user": HALF})
    assert world.prompts().fill({"id": "p"}, "key", NOW).messages == [
        {"role": "system", "content": HALF},
        {"role": "user", "content": HALF},
    ]
