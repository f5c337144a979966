"""Columns of a CSV: those that no row could fill a prompt from, and cells for ids that are empty."""

from collections.abc import Sequence
from typing import Any

import pytest
from broker.batches.batch import BatchStatus
from broker.batches.rows.sources import contents_of
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import Rows
from tests.fakes.world import NOW

CSV: dict[str, Any] = {"input": {"form": "csv"}}
NOTE = CSV | {"prompt": {"id": "note"}}


def register(rows: Rows, *versions: dict[str, Any], arms: Sequence[dict[str, int]] = ()) -> None:
    labels = [{"id": "note", "labels": {"production": list(arms)}}] if arms else []
    for version in versions:
        document = {"prompts": [{"id": "note", "user": "Note.", **version}]}
        apply(rows.world.registry(), parse_registry(document), by="tests", now=NOW)
    apply(rows.world.registry(), parse_registry({"labels": labels}), by="tests", now=NOW)


def planned(data: str, asked: dict[str, Any] = NOTE, *versions: dict[str, Any], **more: Any) -> Rows:
    rows = Rows()
    register(rows, *(versions or ({"user": "{{what}} {{by}}"},)), **more)
    rows.put(data.encode(), asked=asked)
    rows.plan()
    return rows


def test_columns_that_lack_a_variable_fail_the_batch_by_name_and_not_each_row() -> None:
    rows = planned("custom_id,what,how\n" + "a,b,c\n" * 300)
    batch = rows.batch()
    assert (batch.status, batch.shards, list(rows.rows.objects)) == (BatchStatus.FAILED, 0, ["acme/batch_1.jsonl"])
    assert batch.error == {
        "type": "invalid_request",
        "code": "invalid_header",
        "param": "format.header",
        "message": "The columns are not the prompt's variables: it needs 'by'; it has no 'how'.",
    }


def test_names_that_were_told_beside_the_file_are_held_too() -> None:
    rows = planned("a,b\n", CSV | {"input": {"form": "csv", "header": ["what", "who"]}, "prompt": {"id": "note"}})
    assert "'by'" in (rows.batch().error or {})["message"]


def test_a_variable_that_is_no_text_can_be_no_column_and_one_with_a_default_may_be_left_out() -> None:
    declared = {
        "user": "{{what}} {{by}} {{n}}",
        "variables": {"what": {"type": "string"}, "by": {"type": "string", "default": "us"}, "n": {"type": "integer"}},
    }
    message = (planned("what,n\na,1\n", NOTE, declared).batch().error or {})["message"]
    assert message == "The columns are not the prompt's variables: not texts are 'n'."
    declared["variables"]["n"]["default"] = 3  # type: ignore[index]
    assert planned("what\na\n", NOTE, declared).batch().is_planned


def test_the_version_that_is_asked_for_counts_and_of_several_arms_one_is_enough() -> None:
    old, new = {"user": "{{what}}"}, {"user": "{{what}} {{by}}"}
    assert not planned("what\na\n", NOTE, old, new).batch().is_planned
    assert planned("what\na\n", CSV | {"prompt": {"id": "note", "version": 1}}, old, new).batch().is_planned
    first, second = {"version": 1, "weight": 1}, {"version": 2, "weight": 9}
    assert planned("what\na\n", NOTE, old, new, arms=[first, second]).batch().is_planned
    assert not planned("what\na\n", NOTE, old, new, arms=[second]).batch().is_planned


def test_a_prompt_that_is_gone_is_told_by_the_rows_for_it_may_be_back_by_then() -> None:
    rows = planned("what\na\n", CSV | {"prompt": {"id": "gone"}})
    assert rows.batch().is_planned


@pytest.mark.parametrize("empty", ["", "  ", '""'])
def test_an_empty_cell_is_no_id_and_two_of_them_are_not_the_same(empty: str) -> None:
    flow = Flow()
    register(flow, {"user": "{{what}} {{by}}"})
    text = f"custom_id,what,by\n{empty},a,b\nx,c,d\n{empty},e,f\n"
    flow.put(text.encode(), asked=NOTE)
    flow.plan()
    batch = flow.batch()
    (shard,) = flow.all_shards()
    found = [(each.custom_id, each.error) for each in contents_of(batch, shard, flow.rows)]
    assert found == [(None, None), ("x", None), (None, None)]
    flow.run()
    flow.tend_all()
    for head in flow.jobs():
        flow.end(head)
    flow.publish()
    flow.tend_all()
    flow.close()
    assert [line["custom_id"] for line in flow.lines()] == [None, "x", None]
