"""The AWS clients as the functions have them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from broker.bounds import Overrun, within
from broker.cloud import clients
from broker.cloud.clients import client
from broker.cloud.fault_injection import FaultInjected, Faulty
from broker.cloud.lean import LeanClient
from broker.cloud.payloads import PayloadStore

from tests.fakes.json_service import REGION, Answer, JsonService, serving
from tests.fakes.own_time import own_time


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonService]:
    """Where all clients lead."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "BROKER_FAULTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    clients._session.cache_clear()
    with serving() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        yield made
    clients._session.cache_clear()


def test_a_client_signs_and_says_in_short_who_it_is(service: JsonService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "ApiFunction")  # by which the bench counts
    client.__wrapped__("dynamodb").get_item(TableName="jobs", Key={"pk": {"S": "A"}, "sk": {"S": "1"}})
    ((_, headers, _),) = service.asked
    assert headers["user-agent"] == "inference-broker app/ApiFunction"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")


def test_services_that_speak_json_are_called_by_the_short_way(service: JsonService) -> None:
    for name in ("dynamodb", "sqs", "stepfunctions", "events", "secretsmanager"):
        assert isinstance(client.__wrapped__(name), LeanClient), name
    assert not isinstance(client.__wrapped__("s3"), LeanClient)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "payloads-1.s3.us-east-1.amazonaws.com"),
        ("eu-central-1", "payloads-1.s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "payloads-1.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_link_leads_to_the_buckets_own_region_and_is_signed_for_it(
    service: JsonService, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    store = PayloadStore(None, "jobs", "payloads-1", lambda: client.__wrapped__("s3"), None, lambda: 0)  # type: ignore[arg-type]
    link = urlsplit(store.link("job_1", "OUTPUT#1.1", 1))
    signed = parse_qs(link.query)
    assert (link.scheme, link.netloc) == ("https", host)
    assert signed["X-Amz-Credential"][0].split("/")[2:4] == [region, "s3"]
    assert signed["X-Amz-SignedHeaders"] == ["host"], "then another host would not do"


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_link_leads_to_where_s3_is_said_to_be(
    service: JsonService, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(variable, "http://localhost:4566")
    store = PayloadStore(None, "jobs", "payloads-1", lambda: client.__wrapped__("s3"), None, lambda: 0)  # type: ignore[arg-type]
    assert store.link("job_1", "OUTPUT#1.1", 1).startswith("http://localhost:4566/payloads-1/")


def test_that_there_are_no_credentials_is_told_by_botocore(
    service: JsonService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(NoCredentialsError):
        client.__wrapped__("dynamodb").get_item(TableName="jobs", Key={})


def test_a_client_of_one_attempt_does_not_wait_for_a_table_that_throttles(
    service: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    own_time(monkeypatch, "botocore.endpoint", sleep=pauses.append)
    throttled = Answer(400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}')
    for attempts in (4, 1):
        service.answers, service.asked = [throttled] * attempts, []
        with pytest.raises(ClientError) as refused:
            client.__wrapped__("dynamodb", attempts).get_item(TableName="ledger", Key={})
        assert refused.value.response["Error"]["Code"] == "ThrottlingException"
        assert len(service.asked) == attempts
    assert len(pauses) == 3


def test_ordered_crashes_come_before_and_after_what_changes_something(
    service: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(status: int) -> None:
        raise FaultInjected(f"ends with {status}")

    monkeypatch.setattr("os._exit", die)
    monkeypatch.setenv("BROKER_FAULTS", "0.5")
    tables = client.__wrapped__("dynamodb")
    assert isinstance(tables, Faulty)
    crashes = 0
    for _ in range(40):
        try:
            tables.put_item(TableName="jobs", Item={})
        except FaultInjected:
            crashes += 1
        tables.get_item(TableName="jobs", Key={})
    puts = sum(headers["x-amz-target"].endswith("PutItem") for _, headers, _ in service.asked)
    assert 40 - crashes < puts < 40, "some crash before they are sent, some after"
    assert tables.meta.region_name == REGION


def test_a_request_with_the_pattern_is_refused_as_throttled_whether_it_reads_or_writes(
    service: JsonService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_FAULTS", "throttle:HEALTH|FIGURES#")
    tables = client.__wrapped__("dynamodb")
    for call in (tables.get_item, tables.update_item):
        call(TableName="ledger", Key={"pk": {"S": "BUDGET#acme"}})
        for pk in ("HEALTH", "FIGURES#small"):
            with pytest.raises(ClientError) as refused:
                call(TableName="ledger", Key={"pk": {"S": pk}})
            assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    assert [headers["x-amz-target"].partition(".")[2] for _, headers, _ in service.asked] == ["GetItem", "UpdateItem"]


def test_a_request_with_the_word_hangs_until_somebody_breaks_it_off() -> None:
    class Table:
        meta = SimpleNamespace(method_to_api_mapping={"put_item": "PutItem"})

        def put_item(self, **request: object) -> str:
            return "done"

    table = Faulty(Table(), "hang:poison")
    assert table.put_item(Item={"word": "well"}) == "done"
    with pytest.raises(Overrun), within(0.05):
        table.put_item(Item={"word": "poison"})
