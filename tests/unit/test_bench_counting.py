"""How the bench counts: by the meter, job by job, and what is left behind."""

import asyncio
import json
from typing import Any

import pytest

from bench.gates import MOST, exceeded, taken
from bench.metering import Meter, metered
from bench.pricing import Function, Job, PriceList, Traffic
from bench.refreshing import Refresh, due, refreshed, refreshes, with_refreshes
from bench.storing import MONTH_S, OVERHEAD, byte_months, item_bytes
from bench.tables import markdown
from bench.tally import Tally, firm, grown, total, without
from bench.texts import TEXT_BYTES, texts

NONE = {"reads": 0.0, "writes": 0.0, "entries": 0.0, "bytes_in": 0.0, "bytes_out": 0.0}
HEAD = ("ApiFunction", "dynamodb.GetItem", "JOB/HEAD")
MODELS = ("ApiFunction", "dynamodb.Query", "MODELS")


def tally(heads: float, models: float = 0, reads: float = 1) -> Tally:
    found = {HEAD: {**NONE, "count": heads, "reads": heads * reads}}
    return found | ({MODELS: {**NONE, "count": models, "reads": models}} if models else {})


def test_only_what_was_asked_meanwhile_is_grown() -> None:
    assert grown(tally(1, 4), tally(3, 4)) == {HEAD: {**NONE, "count": 2, "reads": 2}}
    assert grown({}, tally(1)) == tally(1)


def test_what_few_jobs_ask_is_the_clocks() -> None:
    runs = [tally(1), tally(1, 2), tally(1), tally(1), tally(2)]
    assert firm(runs) == {HEAD: {**NONE, "count": 1, "reads": 1}}


def test_what_processes_keep_in_memory_is_no_part_of_a_job() -> None:
    runs = [tally(1, 1), tally(1, 1), tally(1, 2)]
    assert firm(without(runs, refreshed)) == {HEAD: {**NONE, "count": 1, "reads": 1}}
    *sampled, refresh = refreshes(runs, {"ApiFunction": 256, "InvokeModelFunction": 128})
    assert sum(each.writes for each in sampled) == pytest.approx(2 / 20)
    assert (refresh.function, refresh.count, refresh.reads, refresh.period_s) == ("ApiFunction", 1, 1, 30)


def test_the_less_traffic_the_more_is_due() -> None:
    assert due(0.001, 0.1, 30) == pytest.approx(1, abs=0.04)
    assert due(100, 0.1, 30) == pytest.approx(1 / (1 + 100 / 11 * 30))
    job = Job(functions={"InvokeModelFunction": Function(128, 1, {"dynamodb.GetItem": 1})}, reads=1)
    some = [Refresh("InvokeModelFunction", "dynamodb.Query", 5, 1, 2, 0, 128)]
    prices, rare = PriceList.load(), Traffic(jobs_per_month=1_000)
    assert with_refreshes(job, some, prices, rare, 3).reads == pytest.approx(1 + 2, rel=0.01)
    assert with_refreshes(job, some, prices, Traffic(jobs_per_month=10**9), 0).reads < 1.5


def test_an_authorizer_runs_only_when_it_is_due() -> None:
    job = Job(functions={"ApiFunction": Function(256, 2)}, api_requests=2)
    some = [Refresh("AuthorizeFunction", "dynamodb.GetItem", 60, 1, 1, 0, 256)]
    asked = with_refreshes(job, some, PriceList.load(), Traffic(jobs_per_month=1), 3)
    assert asked.functions["AuthorizeFunction"].invocations == pytest.approx(2, rel=0.01)
    assert asked.reads == pytest.approx(2, rel=0.01)


def test_units_are_the_mean_of_the_requests() -> None:
    assert total(firm([tally(2, reads=1), tally(2, reads=2)]), "reads") == 3


def test_the_meter_books_what_marked_functions_ask_and_hides_it() -> None:
    meter = Meter()
    asked: list[Any] = []

    async def service(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        asked.append(json.loads(body))
        return 200, {}, json.dumps({"ConsumedCapacity": {"CapacityUnits": 1.5}}).encode()

    serve = metered("dynamodb", service, meter)
    request = {"TableName": "jobs", "Item": {"pk": {"S": "JOB#1"}, "sk": {"S": "HEAD"}}}
    headers = {"x-amz-target": "DynamoDB_20120810.PutItem"}
    marked = headers | {"user-agent": "Boto3/1 app/ApiFunction"}
    for each in (headers, marked, marked):
        asyncio.run(serve("POST", "/", each, json.dumps(request).encode(), {}))
    (row,) = meter.rows()
    assert (row["function"], row["operation"], row["target"]) == ("ApiFunction", "dynamodb.PutItem", "JOB/HEAD")
    assert (row["count"], row["writes"], row["reads"], row["tables"]) == (2, 3, 0, ["jobs"])
    assert row["bytes_in"] == 2 * len(json.dumps(request))
    assert [each.get("ReturnConsumedCapacity") for each in asked] == [None, "TOTAL", "TOTAL"]


def test_events_are_booked_one_by_one() -> None:
    meter = Meter()

    async def service(*_: Any) -> Any:
        return 200, {}, b"{}"

    headers = {"x-amz-target": "AWSEvents.PutEvents", "user-agent": "app/PublishFunction"}
    body = json.dumps({"Entries": [{}, {}, {}]}).encode()
    asyncio.run(metered("events", service, meter)("POST", "/", headers, body, {}))
    assert [(row["operation"], row["count"], row["entries"]) for row in meter.rows()] == [("events.PutEvents", 1, 3)]


def test_items_have_the_size_that_dynamodb_bills() -> None:
    item = {"pk": {"S": "é"}, "n": {"N": "-1234"}, "z": {"B": b"abc"}, "yes": {"BOOL": True}, "l": {"L": [{"S": "ab"}]}}
    assert item_bytes(item) == OVERHEAD + (2 + 2) + (1 + 4) + (1 + 3) + (3 + 1) + (1 + 3 + 1 + 2)


def test_what_is_left_behind_counts_until_it_expires_in_each_index_too() -> None:
    item = {"pk": {"S": "a"}, "due": {"S": "b"}, "expires_at": {"N": str(1000 + MONTH_S)}}
    whole, entry = item_bytes(item), item_bytes({"pk": item["pk"], "due": item["due"]})
    assert byte_months(item, [["pk", "due"], ["pk", "tenant"]], 1000) == pytest.approx(whole + entry)
    assert byte_months(item, [], 1000 + MONTH_S / 2) == pytest.approx(whole / 2)


def test_texts_are_of_one_size_and_of_several_kinds() -> None:
    assert len(texts()) >= 4
    assert all(TEXT_BYTES - 3 <= len(text.encode()) <= TEXT_BYTES for text in texts().values())
    assert any(not text[:40].isascii() for text in texts().values())


def test_a_job_that_takes_more_than_it_may_is_told() -> None:
    function = Function(256, 1, {"dynamodb.GetItem": MOST["AWS requests"]}, MOST["bytes of logs"])
    job = Job(functions={"ApiFunction": function}, writes=MOST["DynamoDB write units"])
    assert exceeded(job) == []
    more = Function(256, 1, {"dynamodb.GetItem": MOST["AWS requests"], "sqs.SendMessage": 1})
    assert exceeded(Job(functions={"ApiFunction": more})) == ["AWS requests"]
    assert taken(job).keys() == MOST.keys()


def test_a_table_in_markdown() -> None:
    assert markdown("$", ["", "3 s"], [["a", 1.234], ["b", None]], 2) == (
        "| $ | 3 s |\n| --- | ---: |\n| a | 1.23 |\n| b |  |"
    )
