"""What every AWS service has to do alike: one table (`aws_cases`), and both sides held against botocore's models."""

import copy
import json
import socket
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import exceptions as broken
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    ModelTimedOut,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers import PROVIDERS
from broker.providers.aws.textract import MOST_PAUSES
from broker.providers.wire.base import Answer, Call, OperationStarted

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.unit.aws_case import COMMON, NAME, Case
from tests.unit.aws_cases import CASES

WORDS = "SERVICE-TEXT that quotes: what is my diagnosis?"
SERVICES = {
    **{name: name for name in ("comprehend", "translate", "rekognition", "polly", "textract", "transcribe")},
    "lex": "lexv2-runtime",
    "sagemaker": "sagemaker-runtime",
    "sagemaker_async": "sagemaker-runtime",
    "bedrock_batch": "bedrock",
    "bedrock_guardrails": "bedrock-runtime",
}
"""By provider: botocore's name of the service."""

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(scope="module")
def far_end() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


@pytest.fixture
def wire(far_end: Wire) -> Wire:
    far_end.script([])
    return far_end


def provider(name: str, wire: Wire) -> Any:
    module, kind = PROVIDERS[name]
    made = getattr(__import__(module, fromlist=[kind]), kind)
    return made(wire.make, lambda seconds: None) if name == "textract" else made(wire.make)


def work(case: Case, wire: Wire, *replies: Reply, call: Call | None = None) -> Answer | OperationStarted:
    wire.script(list(replies) if replies else list(case.replies))
    made, asked = provider(case.provider, wire), call or case.call
    done: Answer | OperationStarted = made.check(asked, case.operation_id) if case.operation_id else made.invoke(asked)
    return done


def failed(case: Case, wire: Wire, *replies: Reply, call: Call | None = None) -> BrokerError:
    """The error, which tells nothing of what the service said."""
    with pytest.raises(BrokerError) as caught:
        work(case, wire, *replies, call=call)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.cause() + str(error.param)
    assert "SERVICE-TEXT" not in shown
    return error


def error_reply(protocol: str, code: str, status: int = 400) -> Reply:
    if protocol == "rest-xml":
        return Reply(f"<Error><Code>{code}</Code><Message>{WORDS}</Message></Error>".encode(), status)
    headers = {"x-amzn-errortype": f"{code}:http://x/"} if protocol == "rest-json" else {}
    return Reply({"__type": f"com.amazonaws#{code}", "message": WORDS, "Message": WORDS}, status, headers)


def operation_of(case: Case, place: int = 0) -> Any:
    operation = case.operations[place]
    return model_of("s3" if operation == "GetObject" else SERVICES[case.provider]).operation_model(operation)


@cache
def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@each_case
def test_work_is_asked_for_once_and_comes_back(case: Case, wire: Wire) -> None:
    done = work(case, wire)
    assert [operation for operation, _ in wire.asked] == list(case.operations)
    for expected, (_, params) in zip(case.asked, wire.asked, strict=False):
        assert {name: params.get(name) for name in expected} == expected
    assert wire.left == 0
    if isinstance(done, OperationStarted):
        assert done.operation_id == case.started
        assert 1 <= done.check_after_s <= 60
        assert all(isinstance(each, str) for each in done.operation_id.values())
        return
    assert done.output == case.output
    assert dict(done.units) == case.units
    assert done.files == case.files
    assert case.started is None
    assert json.loads(json.dumps(done.output, default=list)) == done.output
    assert done.facts == {"request_id": "req-1"} or case.operations == ("GetObject",)


@each_case
def test_a_call_keeps_to_its_time_and_its_region(case: Case, wire: Wire) -> None:
    local = replace(case.call, endpoint="us-east-1")
    work(case, wire, call=local)
    assert wire.timeouts[0] == local.timeout
    assert all(timeout < local.timeout for timeout in wire.timeouts[1:])
    assert set(wire.regions) == {"us-east-1"}


@each_case
def test_every_code_that_an_operation_has_is_known(case: Case, wire: Wire) -> None:
    for place in range(len(case.operations)):
        operation = operation_of(case, place)
        protocol = operation.service_model.metadata["protocol"]
        for shape in operation.error_shapes:
            code = shape.metadata.get("error", {}).get("code", shape.name)
            status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
            if (case.provider, code) in {("transcribe", "ConflictException"), ("sagemaker_async", "NoSuchKey")}:
                continue  # no errors: see the tests of these services
            kind, paid = {**COMMON, **case.errors}[code]
            paid = paid or (kind is Unavailable and status in (500, 502, 530))
            paid = paid or place > 0
            refusals = 1
            if case.provider == "textract" and case.operation_id and issubclass(kind, Throttled | Unavailable):
                paid = code == "InvalidJobIdException"  # else only the question failed
                refusals += MOST_PAUSES if place and kind is Throttled else 0
            replies = [error_reply(protocol, code, status)] * refusals
            error = failed(case, wire, *case.replies[:place], *replies)
            assert (type(error), error.maybe_paid) == (kind, paid), code
            assert wire.left == 0


@each_case
def test_codes_of_all_services_mean_the_same(case: Case, wire: Wire) -> None:
    protocol = operation_of(case).service_model.metadata["protocol"]
    own = {shape.name for shape in operation_of(case).error_shapes} | set(case.errors)
    for code, (kind, paid) in COMMON.items():
        if code not in own:
            error = failed(case, wire, error_reply(protocol, code))
            assert (type(error), error.code, error.maybe_paid) == (kind, code, paid)
            assert len(wire.asked) == 1, "nothing is retried"
    for status, unknown in ((403, CredentialRejected), (400, Rejected), (500, Unavailable), (503, Unavailable)):
        assert type(failed(case, wire, error_reply(protocol, "BrandNewException", status))) is unknown


@each_case
def test_a_pause_that_is_asked_for_is_kept(case: Case, wire: Wire) -> None:
    protocol = operation_of(case).service_model.metadata["protocol"]
    reply = error_reply(protocol, "ThrottlingException", 429)
    error = failed(case, wire, replace(reply, headers={**reply.headers, "retry-after": "7"}))
    assert error.retry_after == 7


@each_case
@pytest.mark.parametrize(
    ("fault", "kind", "code", "paid"),
    [
        (broken.ConnectTimeoutError(endpoint_url="x"), Unavailable, "connect_timeout", False),
        (broken.ReadTimeoutError(endpoint_url="x"), ModelTimedOut, "timeout", True),
        (broken.EndpointConnectionError(endpoint_url="x"), Unavailable, "unreachable", False),
        (broken.ConnectionClosedError(endpoint_url="x"), Unavailable, "connection_lost", True),
        (broken.SSLError(endpoint_url="x", error="x"), Unavailable, "bad_certificate", False),
    ],
)
def test_a_fault_of_the_connection_is_known(
    case: Case, wire: Wire, fault: Exception, kind: type[BrokerError], code: str, paid: bool
) -> None:
    error = failed(case, wire, Reply(fault=fault))
    if case.provider == "textract" and case.operation_id:
        paid = False  # only the question failed
    assert (type(error), error.code, error.maybe_paid) == (kind, code, paid)


def broken_ones(value: Any) -> Iterator[Any]:
    """A JSON value with one thing in it of another kind, for each thing and kind."""
    yield from (None, "x", "\ud800", "", -1, 5, 1e999, -(10**400), True, [], {}, [None], [{}], {"x": []})
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, each in inner:
        for variant in broken_ones(each):
            made = copy.copy(value)
            made[place] = variant
            yield made


@each_case
def test_a_reply_of_another_form_is_an_error_of_ours(case: Case, wire: Wire) -> None:
    tried = 0
    for place, reply in enumerate(case.replies):
        body = reply.body
        if isinstance(body, bytes):
            try:
                body = json.loads(body)
            except ValueError:
                continue
        for wrong in broken_ones(body):
            bent = replace(reply, body=json.dumps(wrong).encode(), valid=False)
            tried += 1
            try:
                done = work(case, wire, *case.replies[:place], bent, *case.replies[place + 1 :])
            except BrokerError as error:
                assert isinstance(error, BadOutput | Unavailable | Rejected), wrong
                continue
            if isinstance(done, Answer):
                json.dumps(done.output, allow_nan=False, default=list).encode()
    assert tried > 10 or case.provider in ("polly", "sagemaker_async")


@each_case
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff", b"null"], ids=["none", "cut", "deep", "raw", "null"]
)
def test_a_reply_that_cannot_be_read_is_bad_output(case: Case, wire: Wire, body: bytes) -> None:
    if case.provider in ("polly", "sagemaker_async") or case.call.task == "custom":
        pytest.skip("any bytes are an answer")
    if case.operations == ("StartTranscriptionJob",):
        pytest.skip("the work has a name of ours, so nothing of the reply is needed")
    error = failed(case, wire, Reply(body, valid=False))
    assert (type(error), error.maybe_paid) == (BadOutput, True)


@each_case
def test_a_task_of_others_is_refused(case: Case, wire: Wire) -> None:
    if case.operation_id is None:
        error = failed(case, wire, call=replace(case.call, task="generate_image"))
        assert (type(error), error.code, wire.asked) == (Rejected, "unsupported_task", [])


@each_case
@pytest.mark.parametrize("given", [{}, {"text": " \n ", "target_language": "de"}])
def test_nothing_is_sent_without_material(case: Case, wire: Wire, given: dict[str, Any]) -> None:
    if case.operation_id is None and case.call.task not in ("chat", "embed"):
        error = failed(case, wire, call=replace(case.call, input=given))
        assert (type(error), error.code, wire.asked) == (InvalidRequest, "no_input", [])


@pytest.mark.parametrize(
    "case", [each for each in CASES.values() if "features" in each.call.input and not each.operation_id], ids=str
)
def test_a_feature_that_nobody_knows_is_refused(case: Case, wire: Wire) -> None:
    given = {**case.call.input, "features": ["telepathy"]}
    error = failed(case, wire, call=replace(case.call, input=given))
    assert (error.code, error.param, wire.asked) == ("unsupported_feature", "input.features", [])


@each_case
def test_a_region_that_is_none_is_a_bad_endpoint(case: Case, wire: Wire) -> None:
    error = failed(case, wire, call=replace(case.call, endpoint="no region!"))
    assert (type(error), error.code) == (Unavailable, "bad_endpoint")


def test_a_port_that_nobody_listens_on_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    from broker.providers.aws.translate import Translate

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with socket.socket() as left:
        left.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_TRANSLATE", f"http://127.0.0.1:{left.getsockname()[1]}")
    with pytest.raises(Unavailable) as caught:
        Translate().invoke(replace(CASES["translate: translate"].call, endpoint="us-east-1"))
    assert caught.value.code == "unreachable"


def test_what_a_call_starts_is_named_by_its_token() -> None:
    from broker.providers.aws.service import named

    assert named("job_1/2") == named("job_1/2") == NAME
    assert named("job_1/3") != NAME
    assert named("") != named("")


def test_every_service_is_in_the_table() -> None:
    assert SERVICES.keys() == {case.provider for case in CASES.values()}
    assert SERVICES.keys() <= PROVIDERS.keys()
    assert ContextExceeded in {kind for kind, _ in COMMON.values()}
