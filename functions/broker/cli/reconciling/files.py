"""Providers' files of usage and costs, each read into charges (`records.Bill`). A file is known by what is in it.

| form | what it is | tells |
|---|---|---|
| `openai_usage` | pages of OpenAI's `GET /v1/organization/usage/completions` and its kin | sums by model and bucket |
| `openai_costs` | pages of `GET /v1/organization/costs` | sums by line item and day |
| `anthropic_usage` | pages of Anthropic's `GET /v1/organizations/usage_report/messages` | sums by model and bucket |
| `anthropic_costs` | pages of `GET /v1/organizations/cost_report` | sums by model and day |
| `bedrock_log` | objects of Bedrock's model invocation log | calls, by tokens |
| `aws_cur` | AWS's Cost and Usage Report 2.0, as CSV | sums by hour or day |
| `calls` | a table of calls (CSV or JSON lines) with a `request_id`, as other gateways export it | calls |
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from broker.cli.reconciling.records import Bill, Charged, Summed, moment, nano
from broker.clock import NANO
from broker.errors import InvalidRequest

Row = Mapping[str, Any]

NANO_OF_CENT = NANO // 100
"""Anthropic's costs are texts of cents."""

OF_BEDROCK = ("bedrock", "bedrock_batch", "bedrock_guardrails")
CHARGES = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage")
"""Line items of AWS that are use, and neither taxes nor credits."""

NAMES = {"at": ("at", "timestamp", "created_at"), "nusd": ("cost_usd", "cost"), "name": ("name", "model")}
"""What a table of calls may call a column; the first that is there counts."""


def read(path: Path) -> Bill:
    """Read a file, which may be packed with gzip.

    Raises:
        InvalidRequest: its form is not known, or a line is not of it.
    """
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path} is no text.", param="path") from None
    bill = _of_json(text) if text.lstrip()[:1] in ("{", "[") else _of_csv(text)
    if bill is None:
        raise InvalidRequest(f"{path} has none of the forms that are known (docs/reconciling.md).", param="path")
    return bill


def _of_json(text: str) -> Bill | None:
    documents = list(_documents(text))
    buckets = [bucket for each in documents for bucket in (each.get("data") or [each]) if isinstance(bucket, Mapping)]
    first = buckets[0] if buckets else {}
    if first.get("schemaType") == "ModelInvocationLog":
        return Bill("bedrock_log", OF_BEDROCK, calls=tuple(map(_of_log, range(1, len(buckets) + 1), buckets)))
    if "request_id" in first:
        return _of_rows(buckets)
    results = next((bucket["results"] for bucket in buckets if bucket.get("results")), None)
    if results is None and not any("results" in bucket for bucket in buckets):
        return None
    for form, mark, reads in PAGES:
        if mark in (results[0] if results else {}) and ("start_time" in first) == form.startswith("openai"):
            sums = tuple(reads(bucket, row) for bucket in buckets for row in bucket["results"])
            return Bill(form, (form.partition("_")[0],), sums=sums)
    return None


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """One document, a list of them, or one on each line."""
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise InvalidRequest(f"The file is not JSON: {error}.", param="path") from None
    for each in whole if isinstance(whole, list) else [whole]:
        if not isinstance(each, dict):
            raise InvalidRequest("The file has something else than objects.", param="path")
        yield each


def _of_openai_usage(bucket: Row, row: Row) -> Summed:
    # What caches had is among the tokens in.
    return Summed(
        *(moment(bucket["start_time"]), moment(bucket["end_time"]), row.get("model")),
        requests=row.get("num_model_requests"),
        input_tokens=row.get("input_tokens"),
        output_tokens=row.get("output_tokens"),
    )


def _of_openai_costs(bucket: Row, row: Row) -> Summed:
    name = (row.get("line_item") or "").partition(",")[0].strip() or None
    span = moment(bucket["start_time"]), moment(bucket["end_time"])
    return Summed(*span, name, nusd=nano(row["amount"]["value"]))


def _of_anthropic_usage(bucket: Row, row: Row) -> Summed:
    written = sum((row.get("cache_creation") or {}).values())
    into = (row.get("uncached_input_tokens") or 0) + (row.get("cache_read_input_tokens") or 0) + written
    span = moment(bucket["starting_at"]), moment(bucket["ending_at"])
    return Summed(*span, row.get("model"), input_tokens=into, output_tokens=row.get("output_tokens"))


def _of_anthropic_costs(bucket: Row, row: Row) -> Summed:
    span = moment(bucket["starting_at"]), moment(bucket["ending_at"])
    return Summed(*span, row.get("model"), nusd=nano(row["amount"], NANO_OF_CENT))


PAGES: tuple[tuple[str, str, Callable[[Row, Row], Summed]], ...] = (
    ("openai_usage", "num_model_requests", _of_openai_usage),
    ("openai_costs", "amount", _of_openai_costs),
    ("anthropic_usage", "uncached_input_tokens", _of_anthropic_usage),
    ("anthropic_costs", "amount", _of_anthropic_costs),
)
"""Forms of pages, a field that only their rows have, and how one is read."""


def _of_log(place: int, entry: Row) -> Charged:
    """An entry of Bedrock's log. It says what the cache had beside the tokens in, and nothing of costs."""
    into = entry.get("input") or {}
    counts = [into.get(name) for name in ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")]
    return Charged(
        place,
        str(entry.get("modelId", "")),
        entry.get("requestId"),
        (entry.get("requestMetadata") or {}).get("job"),
        moment(entry["timestamp"]),
        input_tokens=sum(each or 0 for each in counts),
        output_tokens=(entry.get("output") or {}).get("outputTokenCount") or 0,
    )


def _of_csv(text: str) -> Bill | None:
    table = csv.DictReader(io.StringIO(text))
    columns = set(table.fieldnames or ())
    if {"line_item_usage_start_date", "line_item_unblended_cost"} <= columns:
        return Bill("aws_cur", OF_BEDROCK, sums=tuple(_of_cur(row) for row in table if _is_of_bedrock(row)))
    return _of_rows(table) if "request_id" in columns else None


def _is_of_bedrock(row: Row) -> bool:
    named = (row.get(f"line_item_{each}") or "" for each in ("product_code", "line_item_description"))
    used = row.get("line_item_line_item_type") in CHARGES
    return used and any("bedrock" in each.lower() for each in (*named, row.get("product_product_name") or ""))


def _of_cur(row: Row) -> Summed:
    """A line item. What it is of stands in its kind of use, in words that are no model's name."""
    span = moment(row["line_item_usage_start_date"]), moment(row["line_item_usage_end_date"])
    return Summed(*span, row.get("line_item_usage_type") or "", nusd=nano(row["line_item_unblended_cost"]))


def _of_rows(rows: Iterable[Row]) -> Bill:
    return Bill("calls", (), calls=tuple(_of_row(place, row) for place, row in enumerate(rows, 1)))


def _of_row(place: int, row: Row) -> Charged:
    given = {name: next((row[each] for each in names if row.get(each) not in (None, "")), None)
             for name, names in NAMES.items()}  # fmt: skip
    counts = {name: row.get(name) for name in ("input_tokens", "output_tokens")}
    try:
        tokens = {name: None if count in (None, "") else int(str(count)) for name, count in counts.items()}
    except ValueError:
        raise InvalidRequest(f"Line {place}: tokens are whole numbers.", param="path") from None
    return Charged(
        place,
        str(given["name"] or ""),
        row.get("request_id") or None,
        row.get("job") or None,
        None if given["at"] is None else moment(given["at"]),
        None if given["nusd"] is None else nano(given["nusd"]),
        **tokens,
    )
