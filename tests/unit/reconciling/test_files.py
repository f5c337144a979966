"""Providers' files, in the form in which they are published, are read into charges."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from broker.cli.reconciling.files import read
from broker.cli.reconciling.records import Charged, Summed, is_model
from broker.errors import InvalidRequest

SECOND = 1_793_491_200
"""2026-11-01, as OpenAI has it; HOUR and DAY behind it."""
AT, HOUR, DAY = SECOND * 1000, 3_600_000, 86_400_000


def written(folder: Path, content: Any, *, lines: bool = False) -> Path:
    path = folder / "file"
    some = content if lines else [content]
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in some))
    return path


def openai(result: dict[str, Any], seconds: int = 3_600) -> dict[str, Any]:
    bucket = {"object": "bucket", "start_time": SECOND, "end_time": SECOND + seconds, "results": [result]}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def anthropic(result: dict[str, Any]) -> dict[str, Any]:
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": [result]}
    return {"data": [bucket], "has_more": False, "next_page": None}


USED = {"object": "organization.usage.completions.result", "input_tokens": 1_000, "output_tokens": 500}
USED |= {"input_cached_tokens": 800, "num_model_requests": 5, "model": "gpt-4o-mini-2024-07-18", "project_id": None}
COSTS = {"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"}}
COSTS |= {"line_item": "gpt-4o-mini-2024-07-18, input", "project_id": None}
REPORT = {"uncached_input_tokens": 1_500, "cache_read_input_tokens": 200, "output_tokens": 500}
REPORT |= {"cache_creation": {"ephemeral_1h_input_tokens": 1_000, "ephemeral_5m_input_tokens": 500}}
REPORT |= {"model": "claude-opus-4-20250514", "server_tool_use": {"web_search_requests": 10}}
COST = {"amount": "123.45", "currency": "USD", "description": "Usage", "model": "claude-opus-4-20250514"}


@pytest.mark.parametrize(
    ("form", "content", "wanted"),
    [
        ("openai_usage", openai(USED), Summed(AT, AT + HOUR, "gpt-4o-mini-2024-07-18", 5, 1_000, 500)),
        ("openai_costs", openai(COSTS, 86_400), Summed(AT, AT + DAY, "gpt-4o-mini-2024-07-18", nusd=60_000_000)),
        ("openai_costs", openai(COSTS | {"line_item": None}), Summed(AT, AT + HOUR, None, nusd=60_000_000)),
        ("anthropic_usage", anthropic(REPORT), Summed(AT, AT + DAY, "claude-opus-4-20250514", None, 3_200, 500)),
        ("anthropic_costs", anthropic(COST), Summed(AT, AT + DAY, "claude-opus-4-20250514", nusd=1_234_500_000)),
    ],
)
def test_pages_are_sums(tmp_path: Path, form: str, content: dict[str, Any], wanted: Summed) -> None:
    empty = {**content["data"][0], "results": []}
    bill = read(written(tmp_path, [content, {**content, "data": [empty]}]))
    assert (bill.form, bill.sums, bill.providers) == (form, (wanted,), (form.partition("_")[0],))
    assert read(written(tmp_path, [content, content], lines=True)).sums == (wanted, wanted)


LOGGED = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-11-01T00:00:00Z",
    "accountId": "123456789012",
    "region": "us-east-1",
    "requestId": "915a6a04-3f83-4c70-a277-7fbf7ea546b3",
    "operation": "Converse",
    "modelId": "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0",
    "input": {"inputContentType": "application/json", "inputTokenCount": 35, "cacheReadInputTokenCount": 5},
    "output": {"outputContentType": "application/json", "outputTokenCount": 446},
    "requestMetadata": {"tenant": "f00", "job": "job_1"},
}


def test_bedrocks_log_is_calls_also_packed(tmp_path: Path) -> None:
    path = written(tmp_path, [LOGGED, {**LOGGED, "requestMetadata": None, "errorCode": "Throttling"}], lines=True)
    path.write_bytes(gzip.compress(path.read_bytes()))
    bill = read(path)
    charged = Charged(1, str(LOGGED["modelId"]), str(LOGGED["requestId"]), "job_1", AT, None, 40, 446)
    assert (bill.form, bill.calls[0], bill.calls[1].job) == ("bedrock_log", charged, None)


CUR = """\
line_item_usage_start_date,line_item_usage_end_date,line_item_product_code,line_item_line_item_type,line_item_usage_type,\
line_item_line_item_description,line_item_unblended_cost
2026-11-01T00:00:00.000Z,2026-11-01T01:00:00.000Z,AmazonBedrock,Usage,USE1-NovaLite-input-tokens,,0.0000600000
2026-11-01T00:00:00.000Z,2026-11-01T01:00:00.000Z,abc123,Usage,USE1-MP:x,Claude (Amazon Bedrock Edition),1.5
2026-11-01T00:00:00.000Z,2026-11-01T01:00:00.000Z,AmazonBedrock,Tax,,,9
2026-11-01T00:00:00.000Z,2026-11-01T01:00:00.000Z,AmazonS3,Usage,Requests-Tier1,PUT,9
"""


def test_of_awss_report_use_of_bedrock_alone_counts(tmp_path: Path) -> None:
    bill = read(written(tmp_path, CUR))
    assert (bill.form, [(each.name, each.nusd) for each in bill.sums]) == (
        "aws_cur",
        [("USE1-NovaLite-input-tokens", 60_000), ("USE1-MP:x", 1_500_000_000)],
    )
    assert {(each.starts_at, each.ends_at) for each in bill.sums} == {(AT, AT + HOUR)}


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_table_of_calls_is_calls(tmp_path: Path, form: str) -> None:
    row = {"request_id": "r1", "model": "m", "cost": "0.000001", "input_tokens": "7", "timestamp": "2026-11-01T00:00Z"}
    table = [row, {"request_id": "", "model": "m"}]
    lines = [",".join(row), *(",".join(each.get(name, "") for name in row) for each in table)]
    bill = read(written(tmp_path, lines if form == "csv" else table, lines=True))
    assert bill.calls == (Charged(1, "m", "r1", None, AT, 1_000, 7), Charged(2, "m"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n", "none of the forms"),
        ("", "none of the forms"),
        ('{"a": 1}', "none of the forms"),
        ("{nothing", "is not JSON"),
        ("[1]", "something else than objects"),
        ("request_id,input_tokens\nr,many\n", "Line 1"),
        ("request_id,cost\nr,free\n", "no amount"),
        ("request_id,at\nr,monday\n", "no time"),
    ],
)
def test_what_is_no_bill_is_refused_and_said_why(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read(written(tmp_path, content))


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", True),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("claude-opus-4", "claude-opus-4-20250514", True),
        ("us.amazon.nova-lite-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", True),
        ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", False),
    ],
)
def test_a_dated_name_a_profile_and_an_arn_are_their_model(ours: str, theirs: str, same: bool) -> None:
    assert is_model(ours, theirs) is same
