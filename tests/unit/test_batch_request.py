"""The body of a batch: what is taken, what is refused and where, and what is kept of it."""

import json
from typing import Any

import pytest
from broker.batches.asking.parts import BATCH_EVENTS
from broker.batches.asking.request import MOST_INLINE, asked_of, parse_batch
from broker.batches.batch import Batch
from broker.errors import InvalidRequest

from tests.fakes.batches import a_batch
from tests.fakes.world import HOUR, NOW

ROWS = [{"custom_id": "a", "input": "Hello"}]
FILE = {"s3": "s3://inbox/acme/rows.jsonl"}
CSV = FILE | {"prompt": {"id": "p"}, "format": {"type": "csv"}}
HOURS = {"start": "22:00", "end": "06:00", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "requests"),
        ({"requests": []}, "requests"),
        ({"requests": ["x"]}, "requests.0"),
        ({"requests": ROWS} | FILE, "requests"),
        (FILE | {"input_file_id": "file-1"}, "s3"),
        ({"variables": [{"a": 1}]}, "prompt"),
        ({"variables": [{"a": 1}], "prompt": {"id": ""}}, "prompt.id"),
        ({"requests": ROWS, "prompt": {"id": "p"}}, "prompt"),
        ({"requests": ROWS, "format": {"type": "jsonl"}}, "format"),
        (FILE | {"format": {"type": "csv"}}, "prompt"),
        (FILE | {"format": {"separator": ";"}}, "format.separator"),
        (CSV | {"format": {"type": "csv", "separator": ";;"}}, "format.separator"),
        (CSV | {"format": {"type": "csv", "separator": '"'}}, "format.separator"),
        (CSV | {"format": {"type": "csv", "encoding": "base64"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "punycode"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "IDNA"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "unicode_escape"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "raw-unicode-escape"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "undefined"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "encoding": "utf-8\0"}}, "format.encoding"),
        (CSV | {"format": {"type": "csv", "header": ["a", "a"]}}, "format.header"),
        (CSV | {"format": {"type": "xml"}}, "format.type"),
        ({"s3": "https://inbox/acme"}, "s3"),
        (FILE | {"defaults": {"input": "x"}}, "defaults.input"),
        (FILE | {"defaults": {"deadline_seconds": 0}}, "defaults.deadline_seconds"),
        (FILE | {"defaults": {"parameters": {"temperature": "hot"}}}, "defaults.parameters.temperature"),
        (FILE | {"max_cost_usd": 0}, "max_cost_usd"),
        (FILE | {"max_cost_usd": "5"}, "max_cost_usd"),
        (FILE | {"dedupe": "yes"}, "dedupe"),
        (FILE | {"completion_window": "8d"}, "completion_window"),
        (FILE | {"completion_window": "59s"}, "completion_window"),
        (FILE | {"completion_window": "1w"}, "completion_window"),
        (FILE | {"completion_window": 59}, "completion_window"),
        (FILE | {"completion_window": 1e9}, "completion_window"),
        (FILE | {"not_before": "2026-12-01T22:00:00"}, "not_before"),
        (FILE | {"not_before": "2026-13-01T22:00:00Z"}, "not_before"),
        (FILE | {"not_before": "tomorrow"}, "not_before"),
        (FILE | {"off_peak": HOURS | {"end": "22:00"}}, "off_peak.end"),
        (FILE | {"off_peak": HOURS | {"start": "24:00"}}, "off_peak.start"),
        (FILE | {"off_peak": HOURS | {"time_zone": "../../etc/localtime"}}, "off_peak.time_zone"),
        (FILE | {"off_peak": HOURS | {"days": []}}, "off_peak.days"),
        (FILE | {"webhook": {"url": "https://x.example", "events": ["job.succeeded"]}}, "webhook.events.0"),
        (FILE | {"output": {"kind": "outbox"}}, "output.key"),
        (FILE | {"output": {"kind": "files", "key": "acme/x"}}, "output.key"),
        (FILE | {"metadata": {"a": 1}}, "metadata.a"),
        (FILE | {"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        (FILE | {"colour": "blue"}, "colour"),
        (FILE | {"defaults": {"output_schema": {"description": "x" * 20_000}}}, "defaults"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_batch(body)
    assert (failure.value.code, failure.value.param) == ("invalid_field", param)
    assert "pydantic" not in failure.value.message


@pytest.mark.parametrize("body", [[], "x", None])
def test_a_body_is_an_object(body: Any) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_batch(body)
    assert failure.value.code == "invalid_body"


def test_no_more_rows_than_so_many_come_inline() -> None:
    parse_batch({"requests": [{}] * MOST_INLINE})
    with pytest.raises(InvalidRequest) as failure:
        parse_batch({"requests": [{}] * (MOST_INLINE + 1)})
    assert failure.value.param == "requests"


@pytest.mark.parametrize(
    ("window", "seconds"), [("24h", 86_400), ("7d", 604_800), ("90s", 90), ("30m", 1_800), (3_600, 3_600)]
)
def test_windows_are_spans_or_seconds(window: Any, seconds: int) -> None:
    assert parse_batch(FILE | {"completion_window": window}).window_s == seconds


def test_what_is_kept_fits_the_tables_and_says_all_that_was_asked() -> None:
    body = {
        "variables": [{"a": 1.5}],
        "prompt": {"id": "p", "label": "staging"},
        "defaults": {"model": "m", "parameters": {"temperature": 0.2}, "routing": {"max_cost_usd": 0.1}},
        "dedupe": True,
        "max_cost_usd": 0.000000123,
        "not_before": "2026-11-18T11:00:00+01:00",
        "off_peak": HOURS | {"days": ["sat", "sun"]},
        "webhook": {"url": "https://x.example/hook"},
        "output": {"kind": "outbox", "key": "acme/out"},
        "metadata": {"order": "17"},
    }
    asked = asked_of(parse_batch(body), NOW)
    kept = Batch.from_item(a_batch(asked=asked).to_item()).asked
    assert kept == asked
    assert kept["prompt"] == {"id": "p", "label": "staging"}
    assert json.loads(kept["defaults"]) == body["defaults"]
    assert (kept["dedupe"], kept["max_cost"], kept["metadata"]) == (True, 123, {"order": "17"})
    assert kept["window"] == HOURS | {"days": ["sat", "sun"]}
    assert kept["webhook"] == {"url": "https://x.example/hook", "events": [*BATCH_EVENTS]}
    assert kept["output"] == {"kind": "outbox", "key": "acme/out"}
    assert "1.5" not in json.dumps(kept), "the rows are none of it"


def test_a_file_says_how_it_is_written() -> None:
    given = {"type": "csv", "separator": "\t", "encoding": "UTF16", "header": ["a", "b"]}
    asked = asked_of(parse_batch(CSV | {"format": given}), NOW)
    assert asked["input"] == {"form": "csv", "separator": "\t", "encoding": "utf-16", "header": ["a", "b"]}
    assert asked_of(parse_batch(FILE), NOW)["input"] == {"form": "jsonl"}


def test_a_time_that_has_passed_is_now_and_one_far_ahead_is_refused() -> None:
    assert parse_batch(FILE | {"not_before": "2020-01-01T00:00:00Z"}).begins_at(NOW) == NOW
    assert "not_before" not in asked_of(parse_batch(FILE | {"not_before": "2020-01-01T00:00:00z"}), NOW)
    with pytest.raises(InvalidRequest) as failure:
        parse_batch(FILE | {"not_before": "2027-01-01T00:00:00Z"}).begins_at(NOW)
    assert failure.value.param == "not_before"


def test_no_shard_is_released_before_its_time_and_the_sweep_looks_then() -> None:
    early = a_batch(asked={"not_before": NOW + HOUR})
    waits = early.release(NOW)
    assert (waits.released, waits.due_at) == (0, NOW + HOUR)
    assert waits.release(NOW + 1) == waits, "asking again writes nothing"
    assert waits.release(NOW + HOUR).released == 3


def test_off_peak_hours_hold_shards_back_and_rows_that_are_passed_over_wait_for_none() -> None:
    hours = {"start": "22:00", "end": "23:00", "time_zone": "UTC", "days": ["mon"]}
    batch = a_batch(asked={"window": hours})
    assert batch.opens_at(NOW) > NOW
    assert batch.release(NOW).released == 0
    assert batch.release(batch.opens_at(NOW)).released == 3
    assert batch.stopped("cancelled", NOW).release(NOW).released == 3
