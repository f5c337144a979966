"""docs/limits.md says what the code does: its table, its examples, its bounds."""

import json
import re

import yaml
from broker.batches.rows.enqueuing import BYTES_A_TOKEN
from broker.contract.errors import Error
from broker.json_text import MAX_BODY_BYTES
from broker.registry.document import parse_limits, parse_registry
from broker.rest.http import MOST_RETRY_AFTER_S
from broker.tenants import call_rates
from broker.tenants.call_rates import FREE, FREE_A_SECOND
from broker.tenants.limiting import HOLD_MS, KEEP_MS, PARTS
from broker.tenants.limits import BODY_BYTES, BUCKETS, MOST, MOST_CALLS, MOST_ENQUEUED, MOST_QUEUED, NAMES
from broker.tenants.waits import AT_LEAST, GENERATION_MS, MOST_FREE_MS, PART

from bench.template import parameter
from tests.contract.stack import ROOT

TEXT = (ROOT / "docs" / "limits.md").read_text()
WORDS = " ".join(TEXT.split())


def test_the_table_has_each_limit_with_its_most_and_its_window() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+? \| (.*?) \| ([\d,]+) \|$", TEXT, re.MULTILINE)
    found = {name: (window, int(most.replace(",", ""))) for name, window, most in rows}
    assert set(found) == {*NAMES, BODY_BYTES}
    assert found[BODY_BYTES][1] == MAX_BODY_BYTES
    for name, (what, window) in NAMES.items():
        told, most = found[name]
        assert most == MOST[what, window], name
        assert (told == "refills all the time") == (window in BUCKETS), name
        assert window in BUCKETS or window in told, name
    assert found[BODY_BYTES][0] == "each by itself"


def test_the_examples_are_taken() -> None:
    (document,) = re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
    assert parse_registry(yaml.safe_load(document)).tenants
    commands = re.findall(r"--limit (\w+)=(\d+)", TEXT)
    assert len(commands) == 3
    for name, number in commands:
        assert parse_limits({name: int(number)})
    (error,) = re.findall(r"```json\n(.+?)```", TEXT, re.DOTALL)
    Error.model_validate(json.loads(error))


def test_the_rates_of_calls_are_those_of_the_template_and_the_code() -> None:
    rate, of_one = (parameter(name) for name in ("RequestRate", "TenantRequestRate"))
    assert f"may make {of_one} calls" in WORDS and f"(`RequestRate`, {int(rate):,} a second)" in WORDS
    assert float(rate) >= 10 * float(of_one), "no tenant comes near what all share"
    assert f"`calls_per_second` ({MOST_CALLS:,} at most" in WORDS
    assert f"lets {FREE} of a tenant through by itself, and one a second" in WORDS and FREE_A_SECOND == 1
    assert call_rates.PARTS == {"second": 10} and "a tenth of a second's calls by one write" in WORDS


def test_what_is_said_of_waiting_is_so() -> None:
    assert parameter("TenantWaits") == 0 and (PART, AT_LEAST) == (10, 2)
    assert "a tenth of the functions that the account may run wait at once, two at least (two of ten," in WORDS
    assert MOST_FREE_MS == 1_000 and "The first second of a wait is free" in WORDS
    assert GENERATION_MS == 40_000 and "free again within 80 seconds" in WORDS


def test_what_counts_what_has_not_ended_is_told() -> None:
    assert f"`queued_jobs` ({MOST_QUEUED:,} at most)" in WORDS
    assert f"`enqueued_batch_tokens` ({MOST_ENQUEUED:,} at most)" in WORDS
    assert BYTES_A_TOKEN == 4 and "one for each four bytes of their rows" in WORDS


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"above {PARTS['minute']:,} a minute (a million a day, thirty million a month)" in WORDS
    assert (PARTS["day"], PARTS["month"]) == (10**6, 3 * 10**7)
    assert KEEP_MS == 2_000 and "within two seconds is lost" in WORDS
    assert HOLD_MS == 250 and "no room for a quarter of a second" in WORDS and "four writes a second in vain" in WORDS
    assert f"up to {MOST_RETRY_AFTER_S} seconds" in WORDS
