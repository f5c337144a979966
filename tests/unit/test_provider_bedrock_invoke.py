"""Bedrock's InvokeModel: embeddings and pictures, over a real connection, held against botocore's model of it."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    InvalidRequest,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Call

from tests.fakes.aws import aws_environment
from tests.unit.bedrock_case import CALLS, COHERE, OPERATION, SECRET, TITAN, WORDS, answered, embedding, failed, picture
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running, aws_environment(SECRET, running.url):
        yield running


@pytest.fixture(scope="module")
def bedrock() -> Bedrock:
    return Bedrock()


@pytest.fixture(params=sorted(CALLS))
def case(request: pytest.FixtureRequest) -> tuple[Call, dict[str, Any]]:
    return CALLS[request.param]


@pytest.mark.parametrize(
    ("model", "options", "reply", "body"),
    [
        ("amazon.titan-embed-text-v1", {"dimensions": 256}, TITAN, {"inputText": "one"}),
        ("amazon.titan-embed-text-v2:0", {}, TITAN, {"inputText": "one"}),
        ("amazon.titan-embed-text-v2:0", {"dimensions": 256}, TITAN, {"inputText": "one", "dimensions": 256}),
        ("amazon.titan-embed-image-v1", {}, TITAN, {"inputText": "one"}),
        (
            "amazon.titan-embed-image-v1",
            {"dimensions": 384},
            TITAN,
            {"inputText": "one", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        ("cohere.embed-english-v3", {}, COHERE, {"texts": ["one"], "input_type": "search_document"}),
        (
            "us.cohere.embed-v4:0",
            {"input_type": "search_query", "dimensions": 512},
            COHERE | {"embeddings": {"float": [[0.5, -1]]}},
            {
                "texts": ["one"],
                "input_type": "search_query",
                "embedding_types": ["float"],
                "output_dimension": 512,
            },
        ),
        ("my-profile", {"family": "cohere.embed-english-v3"}, COHERE, None),
    ],
)
def test_each_family_of_embeddings_has_its_form(
    server: ProviderServer, bedrock: Bedrock, model: str, options: dict[str, Any], reply: Any, body: Any
) -> None:
    headers = {"X-Amzn-Bedrock-Input-Token-Count": "9", "x-amzn-RequestId": "req-1"}
    answer, bodies = answered(server, bedrock, embedding(model, "one", options=options), Script(reply, headers=headers))
    assert answer.output == {"embeddings": [[0.5, -1]]}
    assert (answer.input_tokens, answer.output_tokens, answer.facts) == (9, 0, {"request_id": "req-1"})
    assert body is None or bodies == [body]


def test_texts_are_sent_as_many_as_the_family_takes(server: ProviderServer, bedrock: Bedrock) -> None:
    answer, bodies = answered(server, bedrock, embedding(text=["one", "two", "drei 🎉"]), Script(TITAN))
    assert bodies == [{"inputText": "one"}, {"inputText": "two"}, {"inputText": "drei 🎉"}]
    assert answer.output == {"embeddings": [[0.5, -1]] * 3}
    assert answer.input_tokens == 12
    answer, bodies = answered(
        server,
        bedrock,
        embedding("cohere.embed-english-v3", [str(number) for number in range(192)]),
        Script(COHERE | {"embeddings": [[number, 1] for number in range(96)]}),
    )
    assert [len(body["texts"]) for body in bodies] == [96, 96]
    assert bodies[1]["texts"][0] == "96"
    assert answer.output["embeddings"][95:97] == [[95, 1], [0, 1]]
    assert answer.input_tokens > 0  # estimated: this family does not tell


def test_several_exchanges_share_the_time_of_the_call(server: ProviderServer) -> None:
    made: list[float] = []

    def make(region: str | None, timeout: float) -> Any:
        from broker.providers.bedrock.provider import make_client

        made.append(timeout)
        return make_client(region, timeout)

    server.answer(Script(TITAN))
    Bedrock(make).invoke(embedding(text=["one", "two", "three"], timeout=40))
    Bedrock(make).invoke(embedding(text="one", timeout=40))
    assert made == [20, 40]
    error = failed(server, Bedrock(make), embedding(text=["one", "two"], timeout=0.4), Script(how="hang"))
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (embedding(text=[]), "input.text"),
        (embedding("amazon.nova-pro-v1:0"), "model"),
        (picture("amazon.titan-embed-text-v2:0"), "model"),
        (picture(text=" "), "input.text"),
        (picture(format="webp"), "input.format"),
        (picture("stability.sd3-5-large-v1:0", format="gif"), "input.format"),
        (picture("stability.sd3-5-large-v1:0", size="1000x333"), "input.size"),
        (replace(picture(), options={"guardrail": {}}), "model"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(server: ProviderServer, bedrock: Bedrock, call: Call, param: str) -> None:
    error = failed(server, bedrock, call, Script(), asked=0)
    kind = {"input.text": InvalidRequest, "model": ModelGone}.get(param, Rejected)
    assert (type(error), error.param, error.maybe_paid) == (kind, param, False)


def test_a_guardrail_goes_along_and_its_intervention_is_a_refusal(
    server: ProviderServer, bedrock: Bedrock, case: tuple[Call, dict[str, Any]]
) -> None:
    call, reply = replace(case[0], options={"guardrail": {"id": "gr1", "version": 2}}), case[1]
    answered(server, bedrock, call, Script(reply | {"amazon-bedrock-guardrailAction": "NONE"}))
    assert server.asked[0].headers["x-amzn-bedrock-guardrailidentifier"] == "gr1"
    assert server.asked[0].headers["x-amzn-bedrock-guardrailversion"] == "2"
    for action in ("INTERVENED", "GUARDRAIL_INTERVENED"):
        error = failed(server, bedrock, call, Script(reply | {"amazon-bedrock-guardrailAction": action}))
        assert (type(error), error.code, error.maybe_paid) == (Refused, "guardrail_intervened", True)


def test_malformed_replies_are_bad_output(
    server: ProviderServer, bedrock: Bedrock, case: tuple[Call, dict[str, Any]]
) -> None:
    bodies: list[Any] = [b"", b"{}", b"[]", b"null", b"[[", b"\xff\xfe", b"[" * 100_000, WORDS.encode(), {"images": 5}]
    bodies += [{"embedding": value} for value in ([], [None], [True], "0.5", {})]
    bodies += [{"embeddings": value} for value in ([], [[]], [[1], [2]], {}, {"float": 5}, {"int8": [[1]]})]
    bodies += [b'{"embedding": [1e999], "embeddings": [[1e999]]}']
    bodies += [{"images": value, "finish_reasons": [None]} for value in ([""], ["%"], [5], {}, "x")]
    for body in bodies:
        error = failed(server, bedrock, case[0], Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), str(body)[:60]


MEANING: dict[str, tuple[type[BrokerError], bool]] = {
    "AccessDeniedException": (ModelGone, False),
    "ThrottlingException": (Throttled, False),
    "ServiceQuotaExceededException": (Throttled, False),
    "ResourceNotFoundException": (ModelGone, False),
    "ModelTimeoutException": (ModelTimedOut, True),
    "InternalServerException": (Unavailable, True),
    "ServiceUnavailableException": (Unavailable, False),
    "ValidationException": (Rejected, False),
    "ModelNotReadyException": (Unavailable, False),
    "ModelErrorException": (Unavailable, True),
}


def test_each_error_of_the_service_has_its_class(
    server: ProviderServer, bedrock: Bedrock, case: tuple[Call, dict[str, Any]]
) -> None:
    known = {error.name: error.metadata["error"]["httpStatusCode"] for error in OPERATION.error_shapes}
    assert known.keys() == MEANING.keys()
    rows: list[tuple[int, str, str, type[BrokerError], bool]] = [
        *[(status, name, WORDS, *MEANING[name]) for name, status in known.items()],
        (400, "ValidationException", f"400 Bad Request: Too many input tokens. {WORDS}", ContextExceeded, False),
        (400, "ValidationException", f"Blocked by our content filters. {WORDS}", Refused, False),
        (500, "BrandNewException", WORDS, Unavailable, True),
    ]
    for status, name, message, kind, maybe_paid in rows:
        body = {"__type": f"com.amazon.coral#{name}", "message": message}
        error = failed(server, bedrock, case[0], Script(body, status))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, name)


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(
    server: ProviderServer, bedrock: Bedrock, case: tuple[Call, dict[str, Any]], how: str
) -> None:
    error = failed(server, bedrock, case[0], Script(case[1], how=how))
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "connection_lost", True)


def test_what_follows_a_paid_exchange_may_have_been_paid_for() -> None:
    session = botocore.session.get_session()
    client = session.create_client(
        "bedrock-runtime", "us-east-1", aws_access_key_id="AKIATEST", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        body = json.dumps(TITAN).encode()
        stub.add_response(
            "invoke_model", {"body": StreamingBody(io.BytesIO(body), len(body)), "contentType": "application/json"}
        )
        stub.add_client_error("invoke_model", "ThrottlingException", WORDS, 429)
        with pytest.raises(Throttled) as caught:
            Bedrock(lambda region, timeout: client).invoke(embedding(text=["one", "two"]))
    assert caught.value.maybe_paid
