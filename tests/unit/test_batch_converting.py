"""Rows in other forms: CSV with whatever spreadsheets write, and lines in other encodings."""

import csv
import io
import json
from typing import Any

import pytest
from broker.batches.sources import contents_of
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.database import Crash

PROMPT = {"prompt": {"id": "greet"}}


@pytest.fixture
def rows() -> Rows:
    return Rows()


def plan(rows: Rows, data: bytes, form: dict[str, Any] | None = None, prompt: bool = True) -> None:
    rows.put(data, asked={"input": {"form": "csv"} | (form or {}), **(PROMPT if prompt else {})})
    rows.plan()


def seen(rows: Rows) -> list[tuple[int, Any]]:
    """Line, and variables or the code of the error, of all rows."""
    batch = rows.batch()
    assert batch.error is None, batch.error
    contents = [each for shard in rows.all_shards() for each in contents_of(batch, shard, rows.rows)]
    return [(each.line, each.error.code if each.error else body_of(each.body)) for each in contents]


def body_of(body: Any) -> Any:
    return body["prompt"]["variables"] if "prompt" in body else body


def test_a_header_names_the_variables_and_lines_are_those_of_the_file(rows: Rows) -> None:
    plan(rows, b'who,what\r\nAda,"a ""first"", and\r\na second line"\r\n\r\n Grace ,x\r\n')
    assert seen(rows) == [
        (2, {"who": "Ada", "what": 'a "first", and\r\na second line'}),
        (5, {"who": " Grace ", "what": "x"}),
    ]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-8", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\x00\x00"),
        ("utf-32-be", b"\x00\x00\xfe\xff"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_byte_order_mark_says_how_it_is_written(rows: Rows, encoding: str, mark: bytes, form: str) -> None:
    text = 'wer\n"Grüße \U0001f600"\n' if form == "csv" else '{"wer": "Grüße \U0001f600"}\n\n{oops\n'
    plan(rows, mark + text.encode(encoding), {"form": form})
    expected: list[Any] = [(2 if form == "csv" else 1, {"wer": "Grüße \U0001f600"})]
    assert seen(rows) == expected + ([(3, "invalid_json")] if form == "jsonl" else [])


@pytest.mark.parametrize(
    ("data", "form", "found"),
    [
        (b"a;b\n1,5;2\n", {"separator": ";"}, [(2, {"a": "1,5", "b": "2"})]),
        (b"a\tb\n1\t2\n", {"separator": "\t"}, [(2, {"a": "1", "b": "2"})]),
        ("a\nñ\n".encode("latin-1"), {"encoding": "iso8859-1"}, [(2, {"a": "ñ"})]),
        (b"1,2\n", {"header": ["x", "y"]}, [(1, {"x": "1", "y": "2"})]),
        (b"a\r1\r2", {}, [(2, {"a": "1"}), (3, {"a": "2"})]),
        (b"a,b\n1,2", {}, [(2, {"a": "1", "b": "2"})]),
        (b"a,b\n1\n1,2,3\n,\n", {}, [(2, "invalid_row"), (3, "invalid_row"), (4, {"a": "", "b": ""})]),
        (b"custom_id,a\nx,1\nx,2\n,3\n", {}, [(2, {"a": "1"}), (3, "duplicate_custom_id"), (4, {"a": "3"})]),
    ],
)
def test_what_files_of_values_look_like(rows: Rows, data: bytes, form: dict[str, Any], found: list[Any]) -> None:
    plan(rows, data, form)
    assert seen(rows) == found


@pytest.mark.parametrize(
    ("data", "form", "code", "param"),
    [
        (b"", {}, "empty_file", None),
        (b"a,b\n", {}, "empty_file", None),
        (b"a,a\n1,2\n", {}, "invalid_header", "header.2"),
        (b"a,\n1,2\n", {}, "invalid_header", "header.2"),
        (b",".join(b"%d" % n for n in range(1_001)) + b"\n", {}, "invalid_header", "header"),
        (b"a\n\xff\n", {}, "invalid_encoding", "format.encoding"),
        (b"\xff\xfea\x00\n\x00\xd8", {}, "invalid_encoding", "format.encoding"),
        (b"a\n", {"encoding": "no-such"}, "invalid_encoding", "format.encoding"),
        (b'a\n1\n"never ends\n' + b"x" * 5_000_100 + b"\n", {}, "line_too_long", "line 4"),
        (b'a\n1\n"never ends\n' + b"x\n" * 2_600_000, {}, "invalid_csv", "line 3"),
    ],
)
def test_what_cannot_be_told_apart_fails_the_batch_and_says_where(
    rows: Rows, data: bytes, form: dict[str, Any], code: str, param: str | None
) -> None:
    rows.rows.piece = 1 << 20
    plan(rows, data, form)
    error = rows.batch().error or {}
    assert (rows.batch().status, error.get("code"), error.get("param")) == ("failed", code, param)


CELL = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=8)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8), st.integers(1, 9))
def test_whatever_is_written_as_csv_is_read_as_it_was(table: list[list[str]], piece: int) -> None:
    rows = Rows()
    rows.rows.piece = piece
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *table])
    plan(rows, text.getvalue().encode())
    assert [value for _, value in seen(rows)] == [{"a": one, "b": two} for one, two in table]


def test_a_row_that_is_too_large_is_rejected_alone(rows: Rows) -> None:
    rows.rows.piece = 1 << 20
    large = b'"' + b"\\" * 2_600_000 + b'"'
    plan(rows, b"a\n1\n" + large + b"\n2\n")
    assert seen(rows) == [(2, {"a": "1"}), (3, "body_too_large"), (4, {"a": "2"})]


def test_rows_run_as_any_others_do(rows: Rows) -> None:
    rows.world.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{who}}."})
    plan(rows, "who\n".encode("utf-16") + "".join(f"N{n}\n" for n in range(150)).encode("utf-16-le"), {})
    rows.run()
    rows.tend_all()
    assert [head.line for head in rows.jobs()] == list(range(2, 152))
    assert ">N149<" in json.dumps(rows.world.prompt(rows.jobs()[149].id))


@pytest.mark.parametrize("crash_in", range(4))
def test_a_plan_of_values_may_stop_anywhere_and_be_repeated(rows: Rows, crash_in: int) -> None:
    data = b"custom_id,a\n" + b"".join(b"%d,%d\n" % (n % 150, n) for n in range(200))
    rows.put(data, asked={"input": {"form": "csv"}, **PROMPT})
    rows.world.database.crash_in = crash_in
    try:
        rows.plan()
        assert crash_in == 3
    except Crash:
        pass
    rows.world.database.crash_in = None
    rows.plan()
    found = seen(rows)
    assert [line for line, _ in found] == list(range(2, 202))
    assert [code for _, code in found].count("duplicate_custom_id") == 50


def test_lines_in_utf8_are_read_where_they_lie(rows: Rows) -> None:
    plan(rows, jsonl(chat("a")), {"form": "jsonl", "encoding": "utf-8"}, prompt=False)
    assert (rows.batch().rows_in or {})["key"] == rows.batch().source["key"]
