"""Batches on the embedded cloud: each row in one file, once, in order; counts add up, and cost is the ledger's."""

import json
from typing import Any

import pytest

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat

ROWS = 250


def mixed(count: int) -> list[Any]:
    """Rows that are good, but for some: bad lines, blank ones, doubles, one blocked, one failing."""
    rows: list[Any] = [chat(f"Summarize: row {n}.", model="answers", custom_id=f"row-{n}") for n in range(count)]
    rows[7] = "{not json"
    rows[13] = chat("x", model="no-such", custom_id="row-13")
    rows[20] = chat("4111 1111 1111 1111", model="answers", custom_id="row-20")
    rows[33] = chat("Fail.", model="fails", custom_id="row-33")
    rows[41] = chat("The same id.", model="answers", custom_id="row-40")
    rows[120] = {"custom_id": "row-120"}
    rows[199] = b'{"input": {"text": "\xff"}}'
    return rows


def written(rows: list[Any]) -> bytes:
    """A file of them, with a blank line after each twentieth, and no line end at its end."""
    lines = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows
    ]
    return b"\n".join(line + (b"\n  " if number % 20 == 19 else b"") for number, line in enumerate(lines))


@pytest.fixture(scope="module")
def batches(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "batching")


def test_every_row_is_in_one_file_once_in_order_and_paid_as_the_ledger_says(batches: BatchesOf) -> None:
    data = written(mixed(ROWS))
    batch_id = batches.submit(s3=batches.put(data))
    ended = batches.ended(batch_id, 300)
    assert ended["status"] == "completed", ended
    output, errors = batches.lines(batch_id), batches.lines(batch_id, "errors")
    lines = [number for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    assert sorted(each["line"] for each in output + errors) == lines
    for found in (output, errors):
        assert [each["line"] for each in found] == sorted(each["line"] for each in found)
    assert ended["request_counts"] == {"total": ROWS, "completed": len(output), "failed": len(errors)}
    counts = {name: count for name, count in ended["counts"].items() if count}
    assert counts == {"succeeded": ROWS - 7, "rejected": 5, "blocked": 1, "failed": 1}
    assert {each["job"]["status"] for each in output} == {"succeeded"}
    assert [each["custom_id"] for each in output] == [
        f"row-{n}" for n in range(ROWS) if n not in (7, 13, 20, 33, 41, 120, 199)
    ]
    told = {each["line"]: each.get("error", {}).get("code") or each["job"]["status"] for each in errors}
    rows = dict(enumerate(lines))
    assert told == {
        rows[7]: "invalid_json",
        rows[13]: "unknown_model",
        rows[20]: "blocked",
        rows[33]: "failed",
        rows[41]: "duplicate_custom_id",
        rows[120]: "invalid_field",
        rows[199]: "invalid_encoding",
    }
    paid = sum(round(each["job"]["usage"]["cost_usd"] * 1e9) for each in output + errors if "job" in each)
    assert paid == round(ended["usage"]["cost_usd"] * 1e9) == batches.spent() > 0
