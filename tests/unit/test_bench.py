"""The bench's arithmetic."""

from dataclasses import replace

import pytest

from bench.figures import memory_size, percentile, since
from bench.polls import each_second, further, long_poll
from bench.pricing import (
    SECONDS_A_MONTH,
    Function,
    Job,
    Line,
    PriceList,
    Traffic,
    bill,
    billed_ms,
    chunks,
    cpu_ms,
    express_ms,
    standard,
    summed,
    traced,
)
from bench.quotas import binding, quotas
from bench.targets import kind_of, target_of

CPU = {"invocation": 1, "request": 0.5, "tls": 0.25}

PRICES = PriceList.load()
TRACED = {"api": {"reservoir": 1, "rate": 0.01}, "other": {"reservoir": 1, "rate": 0.05}}
ASSUMED = {"cpu_ms": CPU, "log_days": 30, "archive_days": 30, "trace_rules": TRACED}
PRICES = replace(PRICES, assumed=PRICES.assumed | ASSUMED)

TRAFFIC = Traffic(jobs_per_month=1_000_000)

POLL = Job(functions={"ApiFunction": Function(512, 1, {"dynamodb.GetItem": 1}, 100)}, api_requests=1, reads=1)

JOB = Job(
    functions={
        "ApiFunction": Function(512, 2, {"dynamodb.GetItem": 1}, 1000),
        "DispatchFunction": Function(256, 1),
        "InvokeModelFunction": Function(128, 1, {"dynamodb.TransactWriteItems": 1, "dynamodb.GetItem": 2}, 500),
        "SettleJobFunction": Function(256, 1),
    },
    api_requests=2,
    writes=10,
    reads=4,
    sqs_sends=1,
    queue_hops=1,
    events=3,
    event_bytes=3_000,
    s3_puts=2,
    s3_gets=4,
    transitions=6,
    steps=("InvokeModelFunction", "SettleJobFunction"),
    stored=2_000,
    s3_stored=1_000_000,
    reply_bytes=4_000,
    prompt_bytes=2_000,
    tenant_writes=4,
)


def usd(seconds: float, name: str, job: Job = JOB, traffic: Traffic = TRAFFIC) -> float:
    return next(line.usd for line in bill(job, PRICES, traffic, seconds) if line.name == name)


@pytest.mark.parametrize(("share", "value"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_percentiles_are_values_that_were_measured(share: float, value: float) -> None:
    assert percentile(range(1, 101), share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_counters_grow() -> None:
    assert since({"a": 1, "b": 2}, {"a": 4, "b": 2, "c": 5}) == {"a": 3, "c": 5}


def test_memory_sizes_leave_a_margin() -> None:
    assert memory_size(65, runtime_mb=30, margin=1.25, sizes=(128, 192)) == 128
    assert memory_size(75, runtime_mb=30, margin=1.25, sizes=(192, 128)) == 192
    with pytest.raises(ValueError, match="more than any"):
        memory_size(200, runtime_mb=30, margin=1.25, sizes=(128,))


def test_cpu_follows_from_counts_alone() -> None:
    assert cpu_ms(JOB.functions["InvokeModelFunction"], PRICES) == 1 + 3 * (0.5 + 0.25)


def test_cpu_stretches_below_a_whole_vcpu_and_not_above() -> None:
    function = Function(128, 10)
    assert billed_ms(function, PRICES) == pytest.approx(10 * 1769 / 128)
    assert billed_ms(replace(function, memory_mb=3008), PRICES) == 10


def test_aws_requests_and_the_model_are_waited_for() -> None:
    function = replace(JOB.functions["InvokeModelFunction"], memory_mb=1769)
    assert billed_ms(function, PRICES) == 3.25 + 12 + 2 * 5
    assert billed_ms(function, PRICES, model_s=3) == 3000 + 3.25 + 12 + 2 * 5


def test_express_is_billed_in_tenths_of_a_second() -> None:
    assert express_ms(JOB, PRICES, 3) == 3200  # 3000 + 52 of CPU + 22 of requests + 2 * 15, of which 100 are begun
    assert express_ms(JOB, PRICES, 30) == 30_200


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("API Gateway requests", 7),
        ("Lambda invocations", 1),
        ("Lambda, waiting for the model", 0.125 * 3 * 13.3334),
        ("Express workflow, duration", 0.0625 * 3.2 * 16.67),
        ("DynamoDB writes", 6.25),
        ("DynamoDB reads", 0.5),
        ("DynamoDB storage", 0.5),
        ("DynamoDB point-in-time recovery", 0.4),
        ("SQS requests", 1.2),  # sent, received, deleted
        ("EventBridge events", 3),
        ("EventBridge archive, taken in", 0.3),
        ("EventBridge archive, kept", 0.069),
        ("CloudWatch Logs, taken in", (1500 + 2 * 286) / 1000 * 0.5),
        ("CloudWatch Logs, kept", (1500 + 2 * 286) / 1000 * 0.15 * 0.03),
        ("S3 puts", 10),
        ("S3 gets", 1.6),
        ("S3 storage", 23),
        ("Data out", (4000 + 2000 + 900) / 1000 * 0.09),
    ],
)
def test_the_bill_is_for_a_million_jobs(name: str, dollars: float) -> None:
    assert usd(3, name) == pytest.approx(dollars)


def test_only_waiting_depends_on_the_model() -> None:
    pairs = zip(bill(JOB, PRICES, TRAFFIC, 3), bill(JOB, PRICES, TRAFFIC, 30), strict=True)
    assert {one.name for one, other in pairs if one != other} == {
        "Lambda, waiting for the model",
        "Express workflow, duration",
    }


def test_what_a_table_shows_adds_up_to_the_cent() -> None:
    lines = [Line("a", 1, "", 0.333), Line("b", 1, "", 0.333), Line("c", 1, "", 0.333)]
    assert summed(lines) == 0.99


def test_large_events_count_as_several() -> None:
    assert (chunks(2, 3_000, 65_536), chunks(2, 200_000, 65_536), chunks(0, 0, 65_536)) == (2, 4, 0)


def test_the_first_request_of_each_second_is_traced() -> None:
    assert traced(0.001, 1, 0.01) == pytest.approx(1, abs=0.001), "hardly two come in the same second"
    assert traced(1_000, 1, 0.01) == pytest.approx(0.01 + 0.99 / 1_000)
    assert traced(1_000, 0, 0.01) == pytest.approx(0.01)
    assert traced(0, 1, 0.01) == 0


def test_traces_are_dearer_for_each_job_where_there_are_few() -> None:
    few = Traffic(jobs_per_month=SECONDS_A_MONTH / 1000)
    assert usd(3, "X-Ray traces", traffic=few) == pytest.approx(5 * (2 + 3), rel=0.01)
    assert usd(3, "X-Ray traces") < usd(3, "X-Ray traces", traffic=few)


def test_by_default_only_a_share_of_the_apis_requests_is_traced() -> None:
    rules = PriceList.load().assumed["trace_rules"]
    assert {name: rule["reservoir"] for name, rule in rules.items()} == {"api": 0, "other": 0}
    assert {name: rule["rate"] for name, rule in rules.items()} == {"api": 0.01, "other": 0}


def test_further_polls_cost_their_requests_and_all_that_follows() -> None:
    polled = JOB.with_polls(POLL, 3)
    assert usd(3, "API Gateway requests", polled) == pytest.approx(7 + 3 * 3.5)
    assert usd(3, "DynamoDB reads", polled) == pytest.approx(0.5 + 3 * 0.125)
    assert usd(3, "Lambda invocations", polled) == pytest.approx(1 + 3 * 0.2)
    assert usd(3, "Express workflow, duration", polled) == usd(3, "Express workflow, duration")
    assert polled.functions["ApiFunction"] == Function(512, 5, {"dynamodb.GetItem": 4}, 1300)
    assert further(JOB, POLL, 3, PRICES, TRAFFIC, 3) > 3 * 3.5


def test_who_polls_each_second_polls_until_the_workflow_is_over() -> None:
    assert (each_second(JOB, PRICES, 3), each_second(JOB, PRICES, 30)) == (3, 30)


def test_standard_is_priced_by_transitions() -> None:
    assert standard(JOB, PRICES) == pytest.approx(150)


def test_a_long_poll_pays_for_the_api_function() -> None:
    waiting = 0.5 * 3 * 13.3334
    assert waiting < long_poll(JOB, PRICES, 3) < waiting + 2


def test_lambda_concurrency_binds_when_models_are_slow() -> None:
    assert binding(quotas(JOB, PRICES, 30)).name == "Lambda concurrency"
    assert binding(quotas(JOB, PRICES, 30)).jobs_s < 1000 / 30


def test_a_tenant_is_bound_by_the_slices_of_its_budget() -> None:
    found = {quota.name: quota.jobs_s for quota in quotas(JOB, PRICES, 3) if "budget" in quota.name}
    assert found == {"one tenant's budget, write units": 4_000, "one tenant's budget, transactions": 1_600}


def test_what_a_request_touches_is_told_without_ids() -> None:
    head = {"Item": {"pk": {"S": "JOB#job_01"}, "sk": {"S": "HEAD"}}}
    note = {"Key": {"pk": {"S": "JOB#job_01"}, "sk": {"S": "NOTE#ATTEMPT#1.1"}}}
    assert kind_of(head) == "JOB/HEAD"
    assert target_of("dynamodb.TransactWriteItems", {"TransactItems": [{"Put": head}, {"Update": note}]}) == (
        "JOB/HEAD + JOB/NOTE#ATTEMPT"
    )
    asked = {":pk": {"S": "JOB#job_1"}, ":first": {"S": "NOTE#"}, ":last": {"S": "OUTPUT#1.1"}}
    assert kind_of({"ExpressionAttributeValues": asked}) == "JOB/NOTE"
    assert target_of("sqs.SendMessage", {"QueueUrl": "http://x/0/stack-BulkQueue-12AB"}) == "BulkQueue"
