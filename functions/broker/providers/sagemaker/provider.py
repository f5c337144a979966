"""SageMaker endpoints: real-time ones, and asynchronous ones that read and write S3.

Source: Amazon SageMaker Runtime API Reference, `InvokeEndpoint` and `InvokeEndpointAsync`. The model's name is the
endpoint's. What it is sent and answers is the operators' to describe: see `body`. Further options of a model:
`inference_component`, `target_model`, `target_variant`, `custom_attributes`, `accept`.
"""

import base64
from collections.abc import Mapping
from typing import Any

from broker.errors import BrokerError, ContextExceeded, NotFound, Refused, Rejected, Throttled, Unavailable
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import AwsService, Exchange, bad, named
from broker.providers.sagemaker import body as sagemaker_body
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.failures import failure
from broker.providers.wire.structured import loads

OPTIONS = {
    "inference_component": "InferenceComponentName",
    "target_model": "TargetModel",
    "target_variant": "TargetVariant",
    "custom_attributes": "CustomAttributes",
    "accept": "Accept",
}
"""Options of a model, and what the service calls them."""
ASYNCHRONOUS_OPTIONS = ("custom_attributes", "accept")

CHECK_AFTER_S = 10

ERRORS: dict[str, Row] = {
    "ModelNotReadyException": (Unavailable, "says that the model is not ready"),
    "InternalDependencyException": (Unavailable, "failed"),
}
S3_ERRORS: dict[str, Row] = {
    "NoSuchKey": (NotFound, "has no such object"),
    "NoSuchBucket": (Unavailable, "knows nothing of the work any more"),
}


def _of_container(reply: Mapping[str, Any]) -> BrokerError | None:
    """A `ModelError` is the answer of the operators' own container, with its status and its words."""
    if reply.get("Error", {}).get("Code") != "ModelError":
        return None
    status = reply.get("OriginalStatusCode")
    found = failure(status if isinstance(status, int) else 500, {}, _told(reply.get("OriginalMessage")))
    if isinstance(found, Rejected | Refused | ContextExceeded | Throttled):
        return found
    # The container knows no key and no model of ours: what it says of one is a fault of its own.
    return Unavailable("The endpoint's container answered with an error.", code="ModelError", maybe_paid=True)


def _told(message: Any) -> Any:
    try:
        return loads(str(message))
    except ValueError:
        return str(message)


class SageMaker:
    """A real-time endpoint; see `base.Provider`."""

    tasks = sagemaker_body.TASKS

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("sagemaker-runtime", "SageMaker", ERRORS, make, _of_container)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        body = sagemaker_body.body(call)
        if len(body) > sagemaker_body.LARGEST_BYTES:
            raise Rejected("The body is too large for the endpoint.", code="bad_size", param="input")
        exchange = Exchange(self._service, call)
        reply = exchange.ask(
            "invoke_endpoint",
            EndpointName=call.model,
            Body=body,
            ContentType=sagemaker_body.content_type(call),
            **{name: str(call.options[ours]) for ours, name in OPTIONS.items() if ours in call.options},
        )
        data = exchange.read(reply.get("Body"))
        return sagemaker_body.answer(call, data, str(reply.get("ContentType") or ""), exchange.facts)


class SageMakerAsync:
    """An asynchronous endpoint; see `base.Asynchronous`. It writes its answers to a bucket that the role may read."""

    tasks = sagemaker_body.TASKS

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("sagemaker-runtime", "SageMaker", ERRORS, make, _of_container)
        self._s3 = AwsService("s3", "S3", S3_ERRORS, make)

    def invoke(self, call: Call) -> OperationStarted:
        """Start the work; see `Asynchronous`."""
        if call.task not in self.tasks:
            raise unsupported_task()
        kind = sagemaker_body.content_type(call)
        data = base64.b64encode(sagemaker_body.body(call)).decode()
        bucket, key = call.media.place({"data": data, "media_type": kind})
        reply = Exchange(self._service, call).ask(
            "invoke_endpoint_async",
            EndpointName=call.model,
            InputLocation=f"s3://{bucket}/{key}",
            ContentType=kind,
            InferenceId=named(call.token),
            **{OPTIONS[ours]: str(call.options[ours]) for ours in ASYNCHRONOUS_OPTIONS if ours in call.options},
        )
        places = {"output": reply.get("OutputLocation"), "failure": reply.get("FailureLocation")}
        operation_id = {name: place for name, place in places.items() if isinstance(place, str) and place}
        if "output" not in operation_id:
            bad("The service's reply has no place of the answer.")
        return OperationStarted(operation_id, CHECK_AFTER_S)

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """Look for the answer, then for the failure; see `Asynchronous`."""
        exchange = Exchange(self._s3, call)
        found = _object(exchange, operation_id["output"])
        if found is not None:
            data = exchange.read(found.get("Body"))
            return sagemaker_body.answer(call, data, str(found.get("ContentType") or ""), exchange.facts)
        if "failure" in operation_id and _object(exchange, operation_id["failure"]) is not None:
            raise Unavailable("The endpoint could not do the work.", code="job_failed", maybe_paid=True)
        return OperationStarted(dict(operation_id), CHECK_AFTER_S)


def _object(exchange: Exchange, place: str) -> Json | None:
    """The object at `s3://bucket/key`; None where there is none yet."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not (place.startswith("s3://") and bucket and key):
        bad("The service's reply has a place that is not in S3.")
    try:
        return exchange.ask("get_object", Bucket=bucket, Key=key)
    except NotFound:
        return None
