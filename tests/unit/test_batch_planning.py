"""Planning: every row in one shard, wherever bytes are cut, and nothing kept of a file but where its rows are."""

import json
import random
from io import BytesIO

import pytest
from broker.batches.batch import BatchStatus
from broker.batches.rows.lines import LONGEST, split
from broker.batches.rows.planning import Most
from broker.batches.rows.sources import rows_of
from broker.clock import iso
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import HOUR, NOW


@pytest.fixture
def rows() -> Rows:
    return Rows()


def found(rows: Rows, batch_id: str = "batch_1") -> list[tuple[int, int, bytes]]:
    """Row, line and bytes of all rows, as those who run the shards see them."""
    batch = rows.batch(batch_id)
    return [
        (shard.first_row + span.place, span.line, data.rstrip(b"\r\n"))
        for shard in rows.all_shards(batch_id)
        for span, data in rows_of(batch, shard, rows.rows)
    ]


def expected(data: bytes) -> list[tuple[int, int, bytes]]:
    """The same, from the whole file."""
    lines = [
        (number, line) for number, line in enumerate(BytesIO(data.removeprefix(b"\xef\xbb\xbf")), 1) if line.strip()
    ]
    return [(row, number, line.rstrip(b"\r\n")) for row, (number, line) in enumerate(lines)]


@given(
    st.lists(st.binary(max_size=12), max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=9),
    st.integers(3, 20),
)
def test_lines_are_the_same_wherever_a_stream_is_cut(lines: list[bytes], sizes: list[int], longest: int) -> None:
    data, pieces, start = b"\n".join(lines), [], 0
    while start < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[start : start + size])
        start += size
    whole = list(BytesIO(data))
    assert [(each.length, each.data) for each in split(pieces, longest)] == [(len(x), x[:longest]) for x in whole]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_each_row_is_in_one_shard(rows: Rows, count: int, piece: int) -> None:
    rows.rows.piece = piece
    lines: list[object] = []
    dice = random.Random(count)
    for number in range(count):
        lines += [""] * dice.randrange(3) + [chat(f"{number} ñ\u2028")] + ["  \r"] * (dice.random() < 0.2)
    data = (b"\xef\xbb\xbf" if count % 2 else b"") + jsonl(*lines)[: -1 if count == 99 else None]
    rows.put(data)
    facts = rows.plan()
    batch = rows.batch()
    assert facts == {"more": False, "is_over": False, "seconds": 24 * 3600}
    assert (batch.status, batch.rows, batch.shards, batch.is_planned) == ("in_progress", count, -(-count // 100), True)
    assert found(rows) == expected(data)
    assert [shard.rows for shard in rows.all_shards()] == [100] * (count // 100) + [count % 100] * bool(count % 100)


def test_the_bytes_are_gone_through_once(rows: Rows) -> None:
    rows.put(jsonl(*map(chat, "abc")))
    rows.plan()
    assert rows.rows.read == [("acme/batch_1.jsonl", 0, None)]
    rows.plan()
    assert len(rows.rows.read) == 1, "a repeat finds that all is laid out"


def many(rows: Rows, count: int, **more: object) -> bytes:
    data = b"".join(b'{"custom_id": "%d"}\n' % (number % (count - 100)) for number in range(count))
    rows.put(data, **more)  # type: ignore[arg-type]
    rows.rows.piece = 1 << 16
    return data


def test_a_plan_without_time_says_how_far_it_came_and_the_next_goes_on(rows: Rows) -> None:
    data = many(rows, 20_150)
    ways = [rows.plan(time_left=lambda: False)["more"]]
    assert ways == [True]
    batch = rows.batch()
    assert (batch.status, batch.is_planned, batch.shards, batch.rows) == ("validating", False, 100, 10_000)
    while rows.plan(time_left=lambda: False)["more"]:
        ways.append(True)
    assert len(ways) == 2
    offsets = [offset for key, offset, _ in rows.rows.read if key.startswith("acme/")]
    assert offsets == [0, *sorted(set(offsets) - {0})], "each byte is read once"
    assert found(rows) == expected(data)
    doubles = [shard.first_row + place for shard in rows.all_shards() for place in shard.doubles]
    assert doubles == list(range(20_050, 20_150)), "ids of before are remembered"
    assert "ids" not in (rows.batch().rows_in or {})


@pytest.mark.parametrize("crash_in", range(5))
def test_a_plan_may_stop_anywhere_and_be_repeated(rows: Rows, crash_in: int) -> None:
    data = many(rows, 20_150)
    rows.world.database.crash_in = crash_in
    with pytest.raises(Crash):  # of its five writes: shards three times, the record twice
        while rows.plan(time_left=lambda: len(rows.rows.read) > 1)["more"]:
            pass
    rows.world.database.crash_in = None
    rows.plan()
    assert found(rows) == expected(data)
    assert rows.batch().rows == 20_150
    doubles = [shard.first_row + place for shard in rows.all_shards() for place in shard.doubles]
    assert doubles == list(range(20_050, 20_150))


def test_doubles_are_told_exactly_however_the_name_is_written(rows: Rows) -> None:
    rows.put(
        jsonl(
            chat("a", custom_id="x"),
            '{"\\u0063ustom_id": "x"}',
            chat("no id"),
            chat("no id"),
            {"input": {"custom_id": "x"}},
            '{"custom_id": "y", "custom_id": "x"}',
            '{"custom_id": "x"',
            {"custom_id": ""},
            {"custom_id": ""},
            {"custom_id": 7},
            chat("b", custom_id="X"),
            chat("c", custom_id="x"),
        )
    )
    rows.plan()
    assert rows.shard_of(0).doubles == (1, 5, 11)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "empty_file"), (b"\n \r\n\n", "empty_file"), (b"\xef\xbb\xbf\n", "empty_file")],
)
def test_a_file_without_rows_is_a_batch_that_failed(rows: Rows, data: bytes, code: str) -> None:
    rows.put(data)
    assert rows.plan()["is_over"] is True
    batch = rows.batch()
    assert (batch.status, (batch.error or {})["code"]) == (BatchStatus.FAILED, code)
    assert rows.plan()["is_over"] is True


def test_a_file_that_is_gone_is_a_batch_that_failed(rows: Rows) -> None:
    rows.put(b"{}")
    rows.rows.objects.clear()
    rows.plan()
    assert (rows.batch().error or {})["code"] == "file_gone"


@pytest.mark.parametrize(
    ("most", "code"),
    [
        (Most(rows=4), None),
        (Most(rows=3), "too_many_rows"),
        (Most(lines=6), None),
        (Most(lines=5), "too_many_lines"),
        (Most(bytes=14), None),
        (Most(bytes=13), "file_too_large"),
    ],
)
def test_limits_are_told(rows: Rows, most: Most, code: str | None) -> None:
    rows.most = most
    rows.put(b"{}\n{}\n{}\n\n{}\n\n")
    rows.plan()
    assert (rows.batch().error or {}).get("code") == code


def test_a_row_of_any_length_is_a_row(rows: Rows) -> None:
    rows.rows.piece = 1 << 20
    long = json.dumps(chat("x" * (LONGEST + 10))).encode()
    data = b"{}\n" + long + b"\n" + b" " * (LONGEST + 5) + b"\n{}\n"
    rows.put(data)
    rows.plan()
    seen = found(rows)
    assert [(row, line) for row, line, _ in seen] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert [len(each) for _, _, each in seen] == [2, LONGEST, LONGEST, 2]


def test_a_batch_that_begins_later_says_when(rows: Rows) -> None:
    rows.put(b"{}", asked={"not_before": NOW + HOUR})
    assert rows.plan()["not_before"] == iso(NOW + HOUR)
    rows.now = NOW + HOUR
    assert "not_before" not in rows.plan()
