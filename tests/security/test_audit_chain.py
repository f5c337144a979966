"""The audit trail under attack: whatever is changed in it afterwards, `verify` says that, and where."""

import hashlib
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from broker.audit.chain import DAY_MS, GZIP, NOTHING, Anchor, Block, Fault, Stored, key_of, link, verify
from broker.audit.record import Record, record

NOW = 1_790_000_000_000
BLOCKS, RECORDS = 6, 4
KEPT_DAYS = 30


def built(chain: str, tenant: str = "acme", blocks: int = BLOCKS) -> tuple[list[Stored], Anchor]:
    """A whole chain, and its end."""
    end, found = Anchor(chain), []
    for number in range(1, blocks + 1):
        block, data = link(end, told(number, tenant), NOW + number)
        found.append(Stored(key_of(number), data))
        end = block.anchor
    return found, end


def told(number: int, tenant: str) -> list[Record]:
    return [
        record("payload.read", f"{tenant}-{number}.{place}", NOW, tenant=tenant, by="ann", subject=f"job_{place}")
        for place in range(RECORDS)
    ]


WHOLE, END = built("ours")


def faults(found: list[Stored], end: Anchor = END, *, given: Anchor | None = None) -> list[Fault]:
    return verify(found, end, NOW + DAY_MS, KEPT_DAYS, given)


def lines_of(stored: Stored) -> list[str]:
    return zlib.decompress(stored.data, GZIP).decode().split("\n")


def with_lines(stored: Stored, lines: list[str]) -> Stored:
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP)
    return replace(stored, data=packer.compress("\n".join(lines).encode()) + packer.flush())


def with_block(number: int, changed: Stored) -> list[Stored]:
    return [changed if each.key == key_of(number) else each for each in WHOLE]


def test_a_whole_chain_has_no_fault() -> None:
    assert faults(WHOLE) == []
    assert faults([], Anchor("ours")) == []


def test_how_it_is_compressed_is_no_matter() -> None:
    assert faults(with_block(3, with_lines(WHOLE[2], lines_of(WHOLE[2])))) == []


@pytest.mark.parametrize("place", range(1, RECORDS + 1))
@pytest.mark.parametrize("number", range(1, BLOCKS + 1))
def test_no_record_is_changed_deleted_repeated_or_swapped_unseen(number: int, place: int) -> None:
    lines = lines_of(WHOLE[number - 1])
    header = json.loads(lines[0])
    changed = [*lines[:place], lines[place].replace('"ann"', '"eve"'), *lines[place + 1 :]]
    deleted = [json.dumps(header | {"count": RECORDS - 1}), *lines[1:place], *lines[place + 1 :]]
    repeated = [json.dumps(header | {"count": RECORDS + 1}), *lines[1:], lines[place]]
    other = place % RECORDS + 1
    swapped = list(lines)
    swapped[place], swapped[other] = swapped[other], swapped[place]
    for forged in (changed, deleted, [*lines[:place], *lines[place + 1 :]], repeated, swapped):
        found = faults(with_block(number, with_lines(WHOLE[number - 1], forged)))
        assert found and {each.what for each in found} == {"altered"}
        assert {each.number for each in found} <= {number, number + 1}, "it says where"


@pytest.mark.parametrize("number", range(1, BLOCKS + 1))
@pytest.mark.parametrize("field", ["chain", "number", "previous", "since", "at", "count"])
def test_no_header_is_changed_unseen(number: int, field: str) -> None:
    lines = lines_of(WHOLE[number - 1])
    header = json.loads(lines[0])
    header[field] = header[field] + (1 if isinstance(header[field], int) else "0")
    assert faults(with_block(number, with_lines(WHOLE[number - 1], [json.dumps(header), *lines[1:]])))


@pytest.mark.parametrize("number", range(1, BLOCKS + 1))
def test_no_block_is_deleted_unseen(number: int) -> None:
    found = faults([each for each in WHOLE if each.key != key_of(number)])
    assert [(each.what, each.number) for each in found] == [("missing", number)]


@pytest.mark.parametrize("kept", range(BLOCKS))
def test_the_end_is_not_cut_off_unseen(kept: int) -> None:
    found = faults(WHOLE[:kept])
    assert [(each.what, each.number) for each in found] == [("missing", kept + 1)]


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in range(BLOCKS) for b in range(a)])
def test_blocks_are_not_swapped_unseen(one: int, other: int) -> None:
    swapped = list(WHOLE)
    swapped[one] = replace(WHOLE[one], data=WHOLE[other].data)
    swapped[other] = replace(WHOLE[other], data=WHOLE[one].data)
    assert {one + 1, other + 1} <= {each.number for each in faults(swapped) if each.what == "reordered"}


@pytest.mark.parametrize("number", range(1, BLOCKS + 1))
def test_nothing_of_another_chain_is_spliced_in_unseen(number: int) -> None:
    theirs, _ = built("theirs", "globex")
    assert any(each.what == "forged" for each in faults(with_block(number, theirs[number - 1])))
    lines, foreign = lines_of(WHOLE[number - 1]), lines_of(theirs[number - 1])
    assert faults(with_block(number, with_lines(WHOLE[number - 1], [lines[0], *foreign[1:]])))


def test_another_chain_is_not_put_in_the_place_of_all_of_it() -> None:
    theirs, _ = built("theirs", "globex")
    assert faults(theirs)
    again, _ = built("ours", "globex")
    assert [each.what for each in faults(again)] == ["altered"], "of one name, and whole in itself: its end is not ours"


@pytest.mark.parametrize("number", range(1, BLOCKS))
def test_a_chain_that_was_made_anew_from_some_block_on_is_seen_by_its_end(number: int) -> None:
    end = Block.read(WHOLE[number - 1].data).anchor
    found = list(WHOLE[:number])
    for later in range(number + 1, BLOCKS + 1):
        block, data = link(end, told(later, "eve"), NOW + later)
        found.append(Stored(key_of(later), data))
        end = block.anchor
    assert faults(found)
    assert faults(found, end) == [], "who can write both the bucket and the table is seen by neither …"
    noted = Block.read(WHOLE[number].data).anchor
    seen = faults(found, end, given=noted)
    assert [(each.what, each.number) for each in seen] == [("altered", number + 1)], "… but by an end kept elsewhere"


def test_nothing_is_appended_unseen() -> None:
    end, found = END, list(WHOLE)
    for _ in range(2):
        block, data = link(end, told(99, "eve"), NOW + 99)
        found.append(Stored(key_of(block.number), data))
        end = block.anchor
    assert [each.what for each in faults(found)] == ["forged"]
    strange, _ = link(Anchor("ours", BLOCKS, NOTHING), told(99, "eve"), NOW + 99)
    assert strange.number == BLOCKS + 1
    _, data = link(Anchor("ours", BLOCKS, NOTHING), told(99, "eve"), NOW + 99)
    assert faults([*WHOLE, Stored(key_of(BLOCKS + 1), data)])


def test_what_was_written_over_or_deleted_and_put_back_is_told() -> None:
    found = faults(with_block(2, replace(WHOLE[1], versions=2)))
    assert [(each.what, each.number) for each in found] == [("overwritten", 2)]


@pytest.mark.parametrize(
    "key", ["blocks/1.jsonl.gz", "blocks/000000000007.jsonl", "notes.txt", "blocks/00000000000\u0667.jsonl.gz"]
)
def test_an_object_that_is_no_block_is_told(key: str) -> None:
    assert [each.what for each in faults([*WHOLE, Stored(key, b"")])] == ["forged"]


def test_what_is_over_may_be_gone_from_the_beginning_and_only_there() -> None:
    def at(now: int, found: list[Stored]) -> list[str]:
        return [each.what for each in verify(found, END, now, KEPT_DAYS)]

    later = NOW + (KEPT_DAYS + 1) * DAY_MS
    assert at(later, WHOLE[3:]) == []
    assert at(later, []) == []
    assert at(later, WHOLE[:2] + WHOLE[3:]) == ["missing"]
    assert at(NOW + DAY_MS, WHOLE[3:]) == ["missing"]


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(80)]) + packer.flush()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 40, WHOLE[2].data[:-9], WHOLE[2].data + b"x", bomb(), zlib.compress(b"{}"), b"[" * 100_000],
    ids=["nothing", "zeros", "cut", "more", "bomb", "zlib", "deep"],
)
def test_what_cannot_be_read_is_told_and_stops_nothing(data: bytes) -> None:
    found = faults(with_block(3, replace(WHOLE[2], data=data)))
    assert [(each.what, each.number) for each in found] == [("altered", 3)]


@pytest.mark.parametrize("line", ["{}", "[]", "null", '{"chain": "ours"}', "[" * 50_000])
def test_no_header_stops_the_walk(line: str) -> None:
    found = faults(with_block(3, with_lines(WHOLE[2], [line])))
    assert [(each.what, each.number) for each in found] == [("altered", 3)]


def test_a_name_that_a_caller_chose_makes_no_line_of_its_own() -> None:
    facts: dict[str, Any] = {"by": 'eve"}\n{"kind":"key.revoked"', "subject": "\ud800"}
    block, data = link(Anchor("ours"), [record("payload.read", "x", NOW, **facts)], NOW)
    read = Block.read(data)
    assert (len(read.records), read.digest) == (1, block.digest)
    assert read.records[0]["by"] == facts["by"]
    assert hashlib.sha256(zlib.decompress(data, GZIP)).hexdigest() == block.digest
