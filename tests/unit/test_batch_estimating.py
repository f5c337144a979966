"""What a batch would cost: from a sample that says what it is, and without leaving a trace."""

import json
from typing import Any

import pytest
from broker.batches.asking.request import parse_batch
from broker.batches.asking.sampling import MOST_LOOKED_AT, WHOLE_BYTES
from broker.errors import InvalidRequest, NotFound
from broker.jobs.accepting import Caller

from tests.fakes.batch_door import BatchWorld
from tests.fakes.world import NOW, World, a_model

PROMPT = {"pk": "PROMPT#summarize", "sk": "LATEST", "user": "Summarize:\n{{document}}"}


@pytest.fixture
def place() -> BatchWorld:
    world = World()
    world.register(a_model("small"), PROMPT)
    world.tenant()
    return BatchWorld(world)


def estimate(place: BatchWorld, body: Any, tenant: str = "acme") -> dict[str, Any]:
    before, objects = place.world.database.items(), dict(place.rows.objects)
    told = place.door().estimate(parse_batch(body), Caller(tenant, "ci", "rest", "r-1"), NOW)
    assert (place.world.database.items(), place.rows.objects) == (before, objects), "something was kept"
    assert place.workflows.started == []
    return told


def row(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"text": text}, "parameters": {"max_output_tokens": 100}, **more}


def test_few_rows_are_all_looked_at_and_those_at_fault_are_told(place: BatchWorld) -> None:
    told = estimate(place, {"requests": [row("Hello"), {"task": "paint"}, row("Hello", custom_id="x")]})
    assert (told["rows"], told["rows_exact"]) == (3, True)
    assert (told["sample"]["rows"], told["sample"]["rejected"]) == (3, 1)
    (error,) = told["sample"]["errors"]
    assert (error["line"], error["param"], error["code"]) == (2, "task", "invalid_field")
    assert told["max_output_tokens"] == 200
    assert told["models"] == [{"model": "small", "rows": 2}]
    assert 0 < told["expected_cost_usd"] <= told["worst_cost_usd"]


def test_many_rows_are_as_dear_as_their_sample_says(place: BatchWorld) -> None:
    once = estimate(place, {"requests": [row("Hello there")]})
    many = estimate(place, {"requests": [row("Hello there")] * 1_000})
    assert many["rows"] == 1_000
    assert many["sample"]["rows"] == MOST_LOOKED_AT
    for name in ("input_tokens", "max_output_tokens"):
        assert many[name] == 1_000 * once[name]
    for name in ("expected_cost_usd", "worst_cost_usd"):
        assert many[name] == pytest.approx(1_000 * once[name], rel=1e-3)


def test_a_large_file_is_read_in_parts_and_says_that_its_rows_are_reckoned(place: BatchWorld) -> None:
    lines = [json.dumps(row("x" * (200 + number % 300))).encode() for number in range(10_000)]
    data = b"\n".join(lines) + b"\n"
    assert len(data) > WHOLE_BYTES
    told = estimate(place, {"s3": place.finds.put("acme/large.jsonl", data)})
    assert not told["rows_exact"]
    assert told["rows"] == pytest.approx(10_000, rel=0.05)
    assert told["sample"]["rejected"] == 0, "a row that was cut by a part's end is none"


def test_a_small_file_is_counted_and_blank_lines_are_no_rows(place: BatchWorld) -> None:
    data = b"\xef\xbb\xbf" + b"\n\n".join([json.dumps(row("Hi")).encode(), b"{broken", b"  ", b"[1]"])
    told = estimate(place, {"s3": place.finds.put("acme/small.jsonl", data)})
    assert (told["rows"], told["rows_exact"]) == (3, True)
    assert [error["line"] for error in told["sample"]["errors"]] == [3, 7]


def test_rows_of_a_prompt_are_its_variables_and_defaults_hold(place: BatchWorld) -> None:
    body = {
        "prompt": {"id": "summarize"},
        "variables": [{"document": "The lamp."}, {"colour": "blue"}],
        "defaults": {"parameters": {"max_output_tokens": 7}},
    }
    told = estimate(place, body)
    assert told["sample"]["rejected"] == 1
    assert told["sample"]["errors"][0]["line"] == 2
    assert told["max_output_tokens"] == 7


def test_nothing_is_called_cheaper_than_it_is(place: BatchWorld) -> None:
    body = {"requests": [row("Hello")] * 10}
    assert estimate(place, body)["provider_batch_cost_usd"] is None
    place.batch_price = 1_000
    told = estimate(place, body)
    assert told["provider_batch_cost_usd"] == pytest.approx(10 * 1_000 / 1e9)
    place.batch_price = None
    assert estimate(place, body)["expected_cost_usd"] == told["expected_cost_usd"]


def test_a_cap_that_the_worst_case_does_not_fit_is_told(place: BatchWorld) -> None:
    body = {"requests": [row("Hello")] * 10}
    worst = estimate(place, body)["worst_cost_usd"]
    assert not estimate(place, body | {"max_cost_usd": worst})["may_be_capped"]
    assert estimate(place, body | {"max_cost_usd": worst * 0.9})["may_be_capped"]


def test_what_is_wrong_with_the_batch_itself_is_refused_as_when_it_is_submitted(place: BatchWorld) -> None:
    with pytest.raises(InvalidRequest) as failure:
        estimate(place, {"s3": "s3://inbox/other/rows.jsonl"})
    assert failure.value.code == "file_not_yours"
    with pytest.raises(NotFound):
        estimate(place, {"prompt": {"id": "none"}, "variables": [{}]})


def test_when_it_would_begin_is_told(place: BatchWorld) -> None:
    body = {"requests": [row("Hello")], "not_before": "2026-11-18T12:00:00Z"}
    assert estimate(place, body)["begins_at"] == "2026-11-18T12:00:00.000Z"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_csv_is_counted_and_quoted_as_its_prompt_would_be(place: BatchWorld, encoding: str) -> None:
    text = 'document\n"The lamp,\nlit."\n\na,b\nThe keeper slept.\n'
    body = {
        "s3": place.finds.put("acme/rows.csv", text.encode(encoding)),
        "prompt": {"id": "summarize"},
        "format": {"type": "csv"},
    }
    told = estimate(place, body)
    assert (told["rows"], told["rows_exact"], told["sample"]["rejected"]) == (3, True, 1)
    assert told["sample"]["errors"][0]["line"] == 5


def test_a_large_csv_is_reckoned_by_its_beginning(place: BatchWorld) -> None:
    data = b"document\n" + b"".join(b"The lamp number %06d is lit.\n" % number for number in range(200_000))
    body = {
        "s3": place.finds.put("acme/rows.csv", data),
        "prompt": {"id": "summarize"},
        "format": {"type": "csv"},
    }
    told = estimate(place, body)
    assert not told["rows_exact"]
    assert told["rows"] == pytest.approx(200_000, rel=0.01)
    assert told["sample"]["rejected"] == 0


def test_rows_that_are_longer_than_the_parts_are_reckoned_by_the_first(place: BatchWorld) -> None:
    lines = [json.dumps(row("x" * 600_000)).encode() for _ in range(10)]
    told = estimate(place, {"s3": place.finds.put("acme/long.jsonl", b"\n".join(lines) + b"\n")})
    assert (told["rows"], told["rows_exact"]) == (10, False)
