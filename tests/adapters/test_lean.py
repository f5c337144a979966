"""The short way to AWS: it sends what botocore would, and botocore judges whatever does not go well."""

import gzip
import json
import ssl
import zlib
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import certifi
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError, SSLError
from broker.cloud.bus import Bus
from broker.cloud.lean import LeanClient
from broker.cloud.queues import JobQueue
from broker.cloud.secrets import Secrets
from broker.cloud.sigv4 import Signer
from broker.cloud.workflows import StateMachines
from cryptography import x509

from tests.adapters.conftest import Client, lean_client
from tests.fakes.json_service import KEYS, REGION, Answer, JsonService, serving
from tests.fakes.own_time import own_time
from tests.fakes.raw_server import raw_server
from tests.fakes.world import JOB_ID, a_head
from tests.unit.certificates import write_certificate

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("put_item", {"TableName": "jobs", "Item": {"pk": {"S": "é"}, "z": {"B": b"\0\xff"}}}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.example/1/q", "MessageBody": "{}", "MessageGroupId": "acme"}),
    "stepfunctions": ("start_execution", {"stateMachineArn": "arn:x", "name": "job-1", "input": '{"a":"b"}'}),
    "events": ("put_events", {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "{}"}]}),
    "secretsmanager": ("get_secret_value", {"SecretId": "providers/x"}),
}
"""What the functions call, one of each service."""


@pytest.fixture
def service() -> Iterator[JsonService]:
    with serving() as made:
        yield made


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that botocore would have made."""
    pauses: list[float] = []
    own_time(monkeypatch, "botocore.endpoint", sleep=pauses.append)
    return pauses


def lean_of(service: JsonService, name: str, **config: Any) -> LeanClient:
    return lean_client(name, service.url, lambda: service.client(name, **config), read_s=config.get("read_timeout", 5))


def failed(code: str, **more: Any) -> Answer:
    return Answer(400, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode())


@pytest.mark.parametrize("name", CALLS)
def test_sends_what_botocore_sends(service: JsonService, name: str) -> None:
    operation, request = CALLS[name]
    for client in (lean_of(service, name), service.client(name)):
        getattr(client, operation)(**request)
    (path, ours, body), (other_path, theirs, other_body) = service.asked
    assert path == other_path
    assert json.loads(body) == json.loads(other_body)
    # Powertools, where it is loaded, adds its name to botocore's; the others tell AWS how often was tried.
    aside = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date", "content-length"}
    assert {k: v for k, v in ours.items() if k not in aside} == {k: v for k, v in theirs.items() if k not in aside}
    assert ours["user-agent"] == "broker"


@pytest.mark.parametrize("name", CALLS)
def test_its_signature_is_that_of_botocores_signer(service: JsonService, name: str) -> None:
    operation, request = CALLS[name]
    client = lean_of(service, name)
    getattr(client, operation)(**request)
    ((_, headers, body),) = service.asked
    kept = {"content-type", "x-amz-target", "x-amz-security-token", "x-amzn-query-mode"}
    again = AWSRequest("POST", service.url, {k: v for k, v in headers.items() if k in kept}, body)
    again.headers["X-Amz-Date"] = headers["x-amz-date"]
    again.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(KEYS, client.meta.service_model.signing_name, REGION)
    to_sign = signer.string_to_sign(again, signer.canonical_request(again))
    scope, listed = signer.scope(again), signer.signed_headers(signer.headers_to_sign(again))
    expected = f"Credential={scope}, SignedHeaders={listed}, Signature={signer.signature(to_sign, again)}"
    assert headers["authorization"] == f"AWS4-HMAC-SHA256 {expected}"


def test_the_trace_goes_along(service: JsonService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5;Parent=6;Sampled=0;Own=é\n%")
    for client in (lean_of(service, "sqs"), service.client("sqs")):
        client.send_message(QueueUrl="q", MessageBody="{}")
    (_, ours, _), (_, theirs, _) = service.asked
    assert ours["x-amzn-trace-id"] == theirs["x-amzn-trace-id"] == "Root=1-5;Parent=6;Sampled=0;Own=%C3%A9%0A%25"
    assert "x-amzn-trace-id" not in ours["authorization"]


def test_an_error_is_botocores_and_nothing_is_sent_twice(service: JsonService) -> None:
    client = lean_of(service, "dynamodb")
    service.answers = [failed("ConditionalCheckFailedException", message="no", Item={"pk": {"S": "A"}})]
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(TableName="jobs", Item={})
    assert caught.value.response["Error"] == {"Code": "ConditionalCheckFailedException", "Message": "no"}
    assert caught.value.response["Item"] == {"pk": {"S": "A"}}
    assert len(service.asked) == 1


def test_a_canceled_transaction_says_why(service: JsonService) -> None:
    client = lean_of(service, "dynamodb")
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}]
    service.answers = [failed("TransactionCanceledException", CancellationReasons=reasons)]
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[])
    assert caught.value.response["CancellationReasons"] == reasons


def test_errors_of_sqs_keep_their_codes(service: JsonService) -> None:
    client = lean_of(service, "sqs")
    code = "AWS.SimpleQueueService.NonExistentQueue"
    body = b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no queue"}'
    service.answers = [Answer(400, body, {"x-amzn-query-error": f"{code};Sender"})]
    with pytest.raises(client.exceptions.QueueDoesNotExist) as caught:
        client.send_message(QueueUrl="q", MessageBody="{}")
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    "first",
    [
        Answer(500, b"{}"),
        Answer(503, b"<html>"),
        failed("ProvisionedThroughputExceededException"),
        failed("ThrottlingException"),
        Answer(None),
        Answer(200, b'{"Damaged": true}', {"x-amz-crc32": "1"}),
    ],
    ids=["500", "503", "throughput", "throttling", "cut", "damaged"],
)
def test_what_may_pass_is_tried_again_as_the_same_request(
    service: JsonService, no_pause: list[float], first: Answer
) -> None:
    client = lean_of(service, "dynamodb")
    good = b'{"ConsumedCapacity": []}'
    service.answers = [first, first, Answer(200, good, {"x-amz-crc32": str(zlib.crc32(good))})]
    reply = client.transact_write_items(TransactItems=[])
    assert reply["ConsumedCapacity"] == []
    assert len(service.asked) == 3 and len(no_pause) == 2
    assert len({json.loads(body)["ClientRequestToken"] for _, _, body in service.asked}) == 1


@pytest.mark.usefixtures("no_pause")
def test_it_gives_up_as_botocore_does(service: JsonService) -> None:
    client = lean_of(service, "dynamodb")
    service.answers = [Answer(None)] * 9
    with pytest.raises(ConnectionClosedError):
        client.get_item(TableName="jobs", Key={})
    assert len(service.asked) == 3
    service.answers = [Answer(500, b'{"__type": "InternalServerError"}')] * 9
    with pytest.raises(client.exceptions.InternalServerError) as caught:
        client.get_item(TableName="jobs", Key={})
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 2
    assert len(service.asked) == 6
    service.answers = []
    assert client.get_item(TableName="jobs", Key={}) == {}


WHOLE = b"HTTP/1.1 200 OK\r\nx-amzn-requestid: A\r\n"
CUT = (
    WHOLE + b'content-length: 12\r\n\r\n{"Item": {}}',
    WHOLE + b'transfer-encoding: chunked\r\n\r\n6\r\n{"Item\r\n6\r\n": {}}\r\n0\r\n\r\n',
)


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("reply", CUT, ids=["length", "chunks"])
def test_wherever_a_reply_is_cut_botocore_asks_once_more(service: JsonService, reply: bytes) -> None:
    other = service.client("dynamodb")  # that answers `{}`
    for at in range(len(reply)):
        with raw_server([reply[:at]]) as server:
            made = lean_client("dynamodb", server.url, lambda: other)
            assert made.get_item(TableName="jobs", Key={}).keys() == {"ResponseMetadata"}
            assert (len(server.asked), len(service.asked)) == (1, at + 1), at


@pytest.mark.parametrize("reply", CUT, ids=["length", "chunks"])
def test_a_whole_reply_needs_no_botocore(reply: bytes) -> None:
    def make() -> Any:
        raise AssertionError("botocore's client was made")

    with raw_server([WHOLE + b"content-length: 0\r\n\r\n", reply]) as server:
        made = lean_client("dynamodb", server.url, make)
        assert made.put_item(TableName="jobs", Item={}) == {}
        assert made.get_item(TableName="jobs", Key={}) == {"Item": {}}


@pytest.mark.usefixtures("no_pause")
def test_a_body_of_another_coding_is_read_by_botocore(service: JsonService) -> None:
    service.answers = [Answer(200, gzip.compress(b'{"Item": {}}'), {"content-encoding": "gzip"})]
    assert lean_of(service, "dynamodb").get_item(TableName="jobs", Key={})["Item"] == {}
    assert len(service.asked) == 1


def test_each_day_has_a_key_of_its_own() -> None:
    signer = Signer(KEYS.access_key, KEYS.secret_key, REGION, "dynamodb")
    for day in ("20261129", "20261130", "20261130", "20261129"):
        headers = {"host": "x", "x-amz-date": f"{day}T000000Z"}
        header = signer.authorization("/", headers, b"{}")
        assert header == Signer(KEYS.access_key, KEYS.secret_key, REGION, "dynamodb").authorization("/", headers, b"{}")
        assert f"/{day}/{REGION}/" in header


@pytest.mark.usefixtures("no_pause")
def test_it_waits_no_longer_than_configured(service: JsonService) -> None:
    service.answers = [Answer(None, hang_s=1.0)] * 3
    with pytest.raises(ReadTimeoutError):
        lean_of(service, "dynamodb", read_timeout=0.1).get_item(TableName="jobs", Key={})
    assert len(service.asked) == 3


@pytest.mark.usefixtures("no_pause")
def test_it_trusts_whom_the_bundle_vouches_for_and_nobody_else(tmp_path: Path) -> None:
    for host, trusted in (("127.0.0.1", True), ("127.0.0.2", False)):
        whose = write_certificate(tmp_path, x509.IPAddress(ip_address(host)))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(whose)
        bundle = whose.rename(tmp_path / f"{host}.pem")
        with serving(tls) as service:
            for verify in (str(bundle), certifi.where()):
                other = partial(service.client, "dynamodb", verify)
                made = lean_client("dynamodb", service.url, other, bundle=verify)
                if trusted and verify == str(bundle):
                    assert made.get_item(TableName="jobs", Key={}) == {}
                    continue
                with pytest.raises(SSLError):
                    made.get_item(TableName="jobs", Key={})
            assert len(service.asked) == trusted


def test_things_that_are_no_json_are_refused(service: JsonService) -> None:
    with pytest.raises(TypeError, match="no JSON for set"):
        lean_of(service, "dynamodb").put_item(TableName="jobs", Item={"x": {"SS": {"a"}}})
    assert service.asked == []


def test_all_else_is_the_clients_own(service: JsonService) -> None:
    client = lean_of(service, "dynamodb")
    assert client.can_paginate("query")
    assert client.meta.region_name == "eu-central-1"
    assert client.put_item is client.put_item
    with pytest.raises(AttributeError):
        client.put_everything()


def test_the_services_take_what_is_sent(lean: Client) -> None:
    queues, made = lean("sqs"), {}
    for lane in ("interactive", "bulk"):
        made[lane] = queues.create_queue(QueueName=lane)["QueueUrl"]
    JobQueue(queues, made).send(a_head())
    (message,) = queues.receive_message(QueueUrl=made["interactive"])["Messages"]
    assert json.loads(message["Body"])["job_id"] == JOB_ID

    lean("events").create_event_bus(Name="jobs")
    assert Bus(lean("events"), "jobs").put([("JobSucceeded", {"data": {}})]) == []

    lean("secretsmanager").create_secret(Name="x/key", SecretString="text")
    assert Secrets(lean("secretsmanager"), "x/").get("key") == "text"

    states: Any = lean("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/workflow"
    arn = states.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
    StateMachines(states, {"standard": arn}).start(a_head(run=1), a_head(), "standard")
    (started,) = states.list_executions(stateMachineArn=arn)["executions"]
    assert started["name"].startswith(JOB_ID)
