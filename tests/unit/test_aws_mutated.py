"""Replies of AWS services as botocore hands them on, bent: what comes of one is an answer, or an error of the tree."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.response import StreamingBody
from broker.errors import BrokerError, InvalidRequest
from broker.providers import PROVIDERS
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Answer, Call, OperationStarted
from hypothesis import HealthCheck, given, settings

from tests.fakes.aws import Wire, aws_environment
from tests.unit.aws_case import Case, make_call
from tests.unit.aws_cases import CASES
from tests.unit.mutations import mutation

Mutate = Callable[[Any], Any]

bending = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Bent:
    """A client whose replies are bent after botocore has read them."""

    def __init__(self, client: Any, mutate: Mutate) -> None:
        self._client = client
        self._mutate = mutate

    def __getattr__(self, operation: str) -> Any:
        def ask(**request: Any) -> Any:
            return self._mutate(getattr(self._client, operation)(**request))

        return ask


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


def check(work: Callable[[], Any]) -> None:
    try:
        done = work()
    except BrokerError as error:
        assert not isinstance(error, InvalidRequest), "no reply makes a request wrong for every model"
        return
    assert isinstance(done, Answer | OperationStarted)
    if isinstance(done, Answer):
        json.dumps(done.output, allow_nan=False, ensure_ascii=False, default=list).encode()
        assert all(type(count) is int and count >= 0 for count in done.units.values())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@bending
@given(mutate=mutation())
def test_a_bent_reply(case: Case, wire: Wire, mutate: Mutate) -> None:
    module, kind = PROVIDERS[case.provider]
    made = getattr(__import__(module, fromlist=[kind]), kind)(lambda *of: Bent(wire.make(*of), mutate))
    # A bent reply may lead to further requests; they are answered as the last one.
    wire.script([*case.replies, *[case.replies[-1]] * 20])
    check(lambda: made.check(case.call, case.operation_id) if case.operation_id else made.invoke(case.call))


class Ready:
    """A client of Bedrock with one reply to everything."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def converse(self, **_: Any) -> Any:
        return {**self._body, "ResponseMetadata": {"RequestId": "req-1", "HTTPHeaders": {}}}

    def invoke_model(self, **_: Any) -> Any:
        content = StreamingBody(io.BytesIO(json.dumps(self._body).encode()), None)
        headers = {"x-amzn-bedrock-input-token-count": "7"}
        return {"body": content, "ResponseMetadata": {"RequestId": "req-1", "HTTPHeaders": headers}}


CONVERSED = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [{"text": "Fine."}, {"toolUse": {"toolUseId": "a", "name": "look_up", "input": {"age": 3}}}],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
    "metrics": {"latencyMs": 1},
}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
ASKED: dict[str, tuple[Call, Any]] = {
    "converse": (make_call("chat", {"text": "Hm?", "tools": [TOOL]}, "a.b-v1:0"), CONVERSED),
    "titan": (
        make_call("embed", {"text": "Hm?"}, "amazon.titan-embed-text-v2:0"),
        {"embedding": [1, 2], "inputTextTokenCount": 2},
    ),
    "cohere": (make_call("embed", {"text": "Hm?"}, "cohere.embed-v4:0"), {"embeddings": {"float": [[1, 2]]}}),
    "nova": (make_call("generate_image", {"text": "Hm?"}, "amazon.nova-canvas-v1:0"), {"images": ["iVBORw0KGgo="]}),
    "stability": (
        make_call("generate_image", {"text": "Hm?"}, "stability.sd3-5-large-v1:0"),
        {"images": ["iVBORw0KGgo="], "finish_reasons": [None]},
    ),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@bending
@given(mutate=mutation())
def test_a_bent_reply_of_bedrock(asked: tuple[Call, Any], mutate: Mutate) -> None:
    call, body = asked
    check(lambda: Bedrock(lambda region, timeout: Bent(Ready(body), mutate)).invoke(call))
    if (wrong := mutate(body)) is not None and (call.task != "chat" or isinstance(wrong, dict)):
        check(lambda: Bedrock(lambda region, timeout: Ready(wrong)).invoke(call))
