"""The bench's arithmetic."""

from dataclasses import replace

import pytest

from bench.figures import memory_size, percentile, since
from bench.pricing import FunctionUse, JobUse, PriceList, bill, billed_ms, express_ms, long_poll, standard
from bench.quotas import binding, quotas
from bench.targets import kind_of, target_of

PRICES = PriceList.load()

JOB = JobUse(
    functions={
        "ApiFunction": FunctionUse(512, 2, 10, {"dynamodb.GetItem": 1}, 1000),
        "DispatchFunction": FunctionUse(256, 1, 5),
        "InvokeModelFunction": FunctionUse(128, 1, 10, {"dynamodb.TransactWriteItems": 1, "dynamodb.GetItem": 2}, 500),
        "SettleJobFunction": FunctionUse(256, 1, 0),
    },
    api_requests=2,
    writes=10,
    reads=4,
    sqs_sends=1,
    queue_hops=1,
    events=3,
    transitions=6,
    steps=("InvokeModelFunction", "SettleJobFunction"),
    tenant_writes=4,
)


def usd(seconds: float, name: str) -> float:
    return next(line.usd for line in bill(JOB, PRICES, seconds) if line.name == name)


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


def test_cpu_stretches_below_a_whole_vcpu_and_not_above() -> None:
    function = FunctionUse(128, 1, 10)
    assert billed_ms(function, PRICES) == pytest.approx(10 * 1769 / 128)
    assert billed_ms(replace(function, memory_mb=3008), PRICES) == 10


def test_aws_requests_and_the_model_are_waited_for() -> None:
    function = replace(JOB.functions["InvokeModelFunction"], cpu_ms=0)
    assert billed_ms(function, PRICES) == 12 + 2 * 5
    assert billed_ms(function, PRICES, model_s=3) == 3000 + 12 + 2 * 5


def test_express_is_billed_in_tenths_of_a_second() -> None:
    assert express_ms(JOB, PRICES, 3) == 3200  # 3000 + 138 of CPU + 22 of requests + 2 * 15
    assert express_ms(JOB, PRICES, 30) == 30_200


def test_the_bill_is_for_a_million_jobs() -> None:
    assert usd(3, "API Gateway requests") == pytest.approx(7)
    assert usd(3, "DynamoDB writes") == pytest.approx(6.25)
    assert usd(3, "DynamoDB reads") == pytest.approx(0.5)
    assert usd(3, "SQS requests") == pytest.approx(1.2)  # sent, received, deleted
    assert usd(3, "EventBridge events") == pytest.approx(3)
    assert usd(3, "Lambda, waiting for the model") == pytest.approx(0.125 * 3 * 13.3334)
    assert usd(30, "Express workflow duration") == pytest.approx(0.0625 * 30.2 * 16.67)


def test_only_waiting_depends_on_the_model() -> None:
    changed = {one.name for one, other in zip(bill(JOB, PRICES, 3), bill(JOB, PRICES, 30), strict=True) if one != other}
    assert changed == {"Lambda, waiting for the model", "Express workflow duration"}


def test_standard_is_priced_by_transitions() -> None:
    assert standard(JOB, PRICES) == pytest.approx(150)


def test_a_long_poll_pays_for_the_api_function() -> None:
    waiting = 0.5 * 3 * 13.3334
    assert waiting < long_poll(JOB, PRICES, 3) < waiting + 2


def test_lambda_concurrency_binds_when_models_are_slow() -> None:
    assert binding(quotas(JOB, PRICES, 30)).name == "Lambda concurrency"
    assert binding(quotas(JOB, PRICES, 30)).jobs_s < 1000 / 30


def test_a_tenant_is_bound_by_its_budget_item() -> None:
    budget = next(quota for quota in quotas(JOB, PRICES, 3) if "budget" in quota.name)
    assert budget.jobs_s == 250


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
