"""Rows in other forms: the same rows wherever bytes are cut, under their lines, and errors that say where."""

import csv
import io
import json
from typing import Any

import pytest
from broker.batches.rows import converting
from broker.batches.rows.planning import EVERY
from broker.batches.rows.sources import contents_of
from broker.jobs.fields import MAX_BODY_BYTES
from broker.jobs.head import Status
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import Rows, chat

PROMPT = {"pk": "PROMPT#note", "sk": "LATEST", "user": "{{what}} {{by}}"}
OF_CSV: dict[str, Any] = {"input": {"form": "csv"}, "prompt": {"id": "note"}}
GONE = {"prompt": {"id": "gone"}}  # its columns are held against nothing


def planned(data: bytes, asked: dict[str, Any], piece: int = 1 << 20) -> Rows:
    """A batch of a file, laid out."""
    rows = Rows()
    rows.world.register(PROMPT)
    rows.rows.piece = piece
    rows.put(data, asked=asked)
    rows.plan()
    return rows


def found(rows: Rows) -> list[tuple[int, Any]]:
    """Line, and variables, request or code of the error, of all rows."""
    batch = rows.batch()
    assert batch.is_planned, batch.error
    return [
        (each.line, each.error.code if each.error else _asked(each.request.body))
        for shard in rows.all_shards()
        for each in contents_of(batch, shard, rows.rows)
    ]


def _asked(body: dict[str, Any]) -> Any:
    return body["prompt"]["variables"] if "prompt" in body else body["input"]


def failed(data: bytes, asked: dict[str, Any]) -> tuple[str, str | None]:
    """Code and param of the error of a batch that could not be laid out."""
    batch = planned(data, asked).batch()
    assert (batch.status, batch.is_planned, batch.shards) == ("failed", False, 0)
    assert batch.error is not None
    return batch.error["code"], batch.error.get("param")


def of_csv(**more: Any) -> dict[str, Any]:
    return OF_CSV | {"input": {"form": "csv", **more}}


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_quotes_line_ends_and_encodings_are_read_wherever_bytes_are_cut(piece: int, encoding: str) -> None:
    text = 'what,by\r\n"A ""lamp"", lit\nat night",ö\r\n\r\nplain,\r\n"a, b",c'
    told = encoding if encoding in ("utf-16-le", "latin-1") else None
    rows = planned(text.encode(encoding), of_csv(**({"encoding": told} if told else {})), piece)
    assert found(rows) == [
        (2, {"what": 'A "lamp", lit\nat night', "by": "ö"}),
        (5, {"what": "plain", "by": ""}),
        (6, {"what": "a, b", "by": "c"}),
    ]


def test_separators_and_names_can_be_said() -> None:
    rows = planned(b"a\tb\nc\td\n", of_csv(separator="\t", header=["what", "by"]))
    assert found(rows) == [(1, {"what": "a", "by": "b"}), (2, {"what": "c", "by": "d"})]


def test_a_row_at_fault_keeps_no_other() -> None:
    rows = planned(b'what,by\na,b,c\nlonely\n"x"y,z\ngood,one\n"open', OF_CSV)
    assert found(rows) == [
        (2, "invalid_csv"),
        (3, "invalid_csv"),
        (4, "invalid_csv"),
        (5, {"what": "good", "by": "one"}),
        (6, "invalid_csv"),
    ]


def test_a_column_of_ids_names_its_rows_and_no_variable() -> None:
    rows = planned(b"custom_id,what,by\nr1,a,b\nr1,c,d\n", OF_CSV)
    batch, (shard,) = rows.batch(), rows.all_shards()
    first, second = contents_of(batch, shard, rows.rows)
    assert (first.custom_id, first.request.body["prompt"]["variables"]) == ("r1", {"what": "a", "by": "b"})
    assert second.error is not None
    assert second.error.code == "duplicate_custom_id"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", ("empty_file", None)),
        (b"what,by\n", ("empty_file", None)),
        (b"\n\n", ("empty_file", None)),
        (b"what,\na,b\n", ("invalid_header", "format.header")),
        (b"what,what\na,b\n", ("invalid_header", "format.header")),
        (b'"what,by\na,b\n', ("invalid_header", "format.header")),
        (b"what,by\n\xff,b\n", ("invalid_encoding", "format.encoding")),
    ],
)
def test_a_file_that_is_no_csv_is_no_batch(data: bytes, error: tuple[str, str | None]) -> None:
    assert failed(data, OF_CSV) == error


def test_half_a_character_at_the_end_is_no_text() -> None:
    assert failed("what,by\na,b\n".encode("utf-16")[:-1], OF_CSV) == ("invalid_encoding", "format.encoding")


def test_one_endless_line_takes_no_memory_and_is_no_csv() -> None:
    assert failed(b"what,by\n" + b"x" * (MAX_BODY_BYTES + 9), OF_CSV) == ("invalid_csv", "format.type")


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
@pytest.mark.parametrize("told", [True, False])
def test_requests_in_another_encoding_are_read_by_their_mark_or_as_is_said(piece: int, told: bool) -> None:
    text = f"{json.dumps(chat('Grüße'), ensure_ascii=False)}\n\n{{broken\n{json.dumps(chat('ok'))}"
    asked = {"input": {"form": "jsonl", **({"encoding": "utf-16"} if told else {})}}
    rows = planned(text.encode("utf-16"), asked, piece)
    assert found(rows) == [(1, {"text": "Grüße"}), (3, "invalid_json"), (4, {"text": "ok"})]


def test_a_line_that_is_too_long_is_an_error_of_its_own() -> None:
    text = json.dumps(chat("x" * MAX_BODY_BYTES)) + "\n" + json.dumps(chat("ok"))
    rows = planned(text.encode("utf-16"), {"input": {"form": "jsonl"}})
    assert found(rows) == [(1, "body_too_large"), (2, {"text": "ok"})]


def test_what_lies_in_utf_8_is_not_copied() -> None:
    for asked in ({}, {"input": {"form": "jsonl", "encoding": "utf-8"}}):
        rows = planned(b'{"input": {"text": "a"}}\n', asked)
        assert list(rows.rows.objects) == ["acme/batch_1.jsonl"]


def test_a_large_file_of_another_form_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "MOST_BYTES", 10)
    assert failed(b"what,by\na,b\n", OF_CSV) == ("file_too_large", None)


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20), st.integers(1, 40))
def test_whatever_is_written_as_csv_is_read_again(values: list[tuple[str, str]], piece: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("what", "by"), *values])
    rows = planned(out.getvalue().encode(), OF_CSV, piece)
    assert [tuple(variables.values()) for _, variables in found(rows)] == values


def test_rows_that_did_not_succeed_are_planned_again_and_run() -> None:
    flow = Flow()
    rows = [chat(f"Row {number}", custom_id=f"r{number}") for number in range(120)]
    lines = [json.dumps(row).encode() for row in rows]
    lines[3] = b"{broken"
    flow.begin(b"\n".join(lines))
    for head in flow.jobs():
        if head.row in (7, 110):
            flow.end(head, Status.FAILED)
    flow.finish()
    first = flow.batch()
    assert first.sums.counts == {"succeeded": 117, "failed": 2, "rejected": 1}
    flow.put(b"", "batch_2", source={"kind": "retry", "batch": "batch_1"}, asked={"retry_of": "batch_1"})
    flow.plan("batch_2")
    flow.run("batch_2")
    flow.tend_all()
    assert [(head.row, head.line) for head in flow.jobs("batch_2")] == [(1, 8), (2, 111)]
    flow.finish("batch_2")
    assert flow.batch("batch_2").sums.counts == {"succeeded": 2, "rejected": 1}
    assert [line["custom_id"] for line in flow.lines("output", "batch_2")] == ["r7", "r110"]


def test_half_a_surrogate_in_another_encoding_is_an_error_under_its_own_line() -> None:
    text = '\n{"custom_id": "a", "input": {"text": "\\ud800"}}\n{"input": {"text": "ok"}}\n'
    rows = planned(text.encode("utf-16"), {"input": {"form": "jsonl"}})
    first, second = found(rows)
    assert (first[0], second) == (2, (3, {"text": "ok"}))
    rows.run()
    rows.tend_all()
    item = rows.batches.row_apart("batch_1", 0)
    assert item is not None
    assert item["error"]["code"] == "invalid_body", "as of a file in UTF-8"


def test_a_row_without_end_over_many_lines_takes_no_memory_and_is_no_csv() -> None:
    endless = b"what,by\n" + b'x,"\n",' * (MAX_BODY_BYTES // 6 + 9)
    assert failed(endless, OF_CSV) == ("invalid_csv", "format.type")


def test_a_row_that_names_make_too_long_is_an_error_under_its_line() -> None:
    names = ",".join(f"n{number:07}" for number in range(400_000))
    rows = planned(f"{names}\n{',' * 399_999}\n".encode(), OF_CSV | GONE)
    assert found(rows) == [(2, "body_too_large")]
    assert len(rows.rows.objects["batches/batch_1/rows.jsonl"]) < 1_000, "nothing is written that nobody takes"


def test_what_a_small_file_swells_to_is_bounded() -> None:
    rows = Rows(most=EVERY._replace(bytes=20_000))
    rows.world.register(PROMPT)
    names = ",".join(f"n{number:03}" for number in range(100))
    rows.put(f"{names}\n{(',' * 99 + chr(10)) * 50}".encode(), asked=OF_CSV | GONE)
    rows.plan()
    batch = rows.batch()
    assert (batch.status, (batch.error or {})["code"]) == ("failed", "file_too_large")
    assert list(rows.rows.objects) == ["acme/batch_1.jsonl"], "it is not written first"
