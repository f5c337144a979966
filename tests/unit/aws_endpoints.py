"""The rows of `aws_cases` that ask endpoints of one's own: SageMaker."""

import json

from broker.errors import Unavailable

from tests.fakes.aws import Reply
from tests.unit.aws_case import (
    DENIED,
    DOWN,
    INVALID,
    NAME,
    Case,
    make_call,
)

ENDPOINT_ERRORS = {
    "ModelError": (Unavailable, True),
    **dict.fromkeys(("InternalDependencyException", "ModelNotReadyException"), DOWN),
}
JSON_TYPE = {"content-type": "application/json"}
PLACES = {"output": "s3://results/a/b.out", "failure": "s3://results/a/b-error.out"}
SAGEMAKER = {
    "custom": Case(
        "sagemaker",
        make_call("custom", {"body": {"rows": [[1, 2]]}}, "my-endpoint", options={"inference_component": "part-1"}),
        ("InvokeEndpoint",),
        (Reply(b'{"predictions": [0.5, "\xc3\xbc"]}', headers=JSON_TYPE),),
        {"body": {"predictions": [0.5, "ü"]}},
        {"requests": 1},
        (
            {
                "EndpointName": "my-endpoint",
                "Body": b'{"rows": [[1, 2]]}',
                "ContentType": "application/json",
                "InferenceComponentName": "part-1",
            },
        ),
        ENDPOINT_ERRORS,
    ),
    "chat": Case(
        "sagemaker",
        make_call(
            "chat",
            {"text": "Grüße"},
            "my-endpoint",
            options={"output": "[0].generated_text"},
            parameters={"temperature": 0.5, "seed": None},
        ),
        ("InvokeEndpoint",),
        (Reply('[{"generated_text": "Hello 🎉"}]'.encode(), headers=JSON_TYPE),),
        {"text": "Hello 🎉", "finish_reason": "stop"},
        {"requests": 1},
        ({"Body": '{"inputs": "Grüße", "parameters": {"temperature": 0.5}}'.encode()},),
        ENDPOINT_ERRORS,
    ),
    "embed": Case(
        "sagemaker",
        make_call(
            "embed",
            {"text": ["a", "b"]},
            "my-endpoint",
            options={"output": "data[].embedding", "body": {"input": "{{text}}"}},
        ),
        ("InvokeEndpoint",),
        (Reply(json.dumps({"data": [{"embedding": [1, 0.5]}, {"embedding": [0, 1]}]}).encode(), headers=JSON_TYPE),),
        {"embeddings": [[1, 0.5], [0, 1]]},
        {"requests": 1},
        ({"Body": b'{"input": ["a", "b"]}'},),
        ENDPOINT_ERRORS,
    ),
    "custom begun": Case(
        "sagemaker_async",
        make_call("custom", {"body": "1,2"}, "slow", options={"content_type": "text/csv"}),
        ("InvokeEndpointAsync",),
        (
            Reply(
                {"InferenceId": NAME},
                202,
                {"x-amzn-sagemaker-outputlocation": PLACES["output"]}
                | {"x-amzn-sagemaker-failurelocation": PLACES["failure"]},
            ),
        ),
        started=PLACES,
        asked=({"EndpointName": "slow", "ContentType": "text/csv", "InferenceId": NAME},),
        errors=ENDPOINT_ERRORS,
    ),
    "custom done": Case(
        "sagemaker_async",
        make_call("custom", {"body": "1,2"}, "slow"),
        ("GetObject",),
        (Reply(b"0.5\n", headers={"content-type": "text/csv"}),),
        {"body": "0.5\n"},
        {"requests": 1},
        ({"Bucket": "results", "Key": "a/b.out"},),
        {"NoSuchKey": INVALID, "InvalidObjectState": DENIED},
        operation_id=PLACES,
    ),
}
