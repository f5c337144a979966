"""Amazon Bedrock's batch inference for one job: at a lower price, within a day.

Source: Amazon Bedrock API Reference, `CreateModelInvocationJob`, `GetModelInvocationJob`; User Guide, "Format and
upload your batch inference data", "View the results of a batch inference job".

Each text to embed is a record, and a chat is one. Bedrock takes no less than a minimum of records (quota "Minimum
number of records per batch inference job"), so a model is registered with the `fewest_texts` that its account's quota
wants. What is handed over lies below `services/{job}/` in the payloads bucket, and goes with the job.

Options of a model: `role`, the ARN of the role that Bedrock reads and writes the bucket with (the stack's output
`BatchInferenceRole`); `hours` after which Bedrock gives up (24 to 168); `largest_reply`, the bytes of embeddings that
the function's memory holds (2,500,000 unless said, 16 MiB at most); `dimensions` and `family` as for `bedrock`.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from broker.errors import BrokerError, ModelGone, Rejected, Unavailable
from broker.packed_numbers import Vectors
from broker.providers.aws.client import UNREADABLE, Json, MakeClient, Row, make_client
from broker.providers.aws.service import (
    S3_ERRORS,
    AwsService,
    Exchange,
    bad,
    count,
    handed_back,
    named,
    rows,
    text,
)
from broker.providers.bedrock import converse as bedrock_converse
from broker.providers.bedrock.embed import FAMILIES
from broker.providers.bedrock.invoke import family
from broker.providers.bedrock.service_errors import ERRORS, rejected
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import texts as texts_of
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.failures import failure
from broker.providers.wire.http_client import LARGEST_REPLY
from broker.providers.wire.structured import loads
from broker.token_estimates import estimate

CHECK_AFTER_S = 15
HOURS = 24
INPUT = "input.jsonl"

USUAL_REPLY = 2_500_000
"""Bytes of embeddings that a function of 128 MB can read, Lambda's runtime beside it: some hundred of 1,024 numbers."""

BYTES_OF_A_NUMBER = 22
"""Of an embedding, as JSON, at most: sixteen digits, sign, exponent, comma."""

GOES_ON = frozenset({"Submitted", "Validating", "Scheduled", "InProgress", "Stopping"})
ENDED = frozenset({"Completed", "PartiallyCompleted"})

STARTED: dict[str, Row] = {**ERRORS, "ConflictException": (Unavailable, "is at work on a batch of this name")}
GONE: dict[str, Row] = {
    "ResourceNotFoundException": (Unavailable, "knows nothing of the work any more"),
    "ConflictException": (Unavailable, "has ended the work"),
}


class BedrockBatch:
    """See `base.Stoppable`."""

    tasks = frozenset({"chat", "embed"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._starting = AwsService("bedrock", "Bedrock", STARTED, make)
        self._checking = AwsService("bedrock", "Bedrock", GONE, make)
        self._s3 = AwsService("s3", "S3", S3_ERRORS, make)

    def invoke(self, call: Call) -> OperationStarted:
        """Hand the records over and start the batch; see `Asynchronous`."""
        kind, inputs = _inputs(call)
        role = call.options.get("role")
        if not role:
            raise ModelGone("The model is registered without a role for batches.", code="no_role", param="model")
        name = named(call.token)
        lines = [{"recordId": _record_id(place), "modelInput": each} for place, each in enumerate(inputs)]
        data = "".join(f"{json.dumps(line, default=_base64)}\n" for line in lines).encode()
        bucket, key = call.media.hand(f"{name}/{INPUT}", data)
        folder = f"s3://{bucket}/{key.removesuffix(INPUT)}"
        reply = Exchange(self._starting, call).ask(
            "create_model_invocation_job",
            jobName=name,
            clientRequestToken=name,
            modelId=call.model,
            modelInvocationType=kind,
            roleArn=str(role),
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"{folder}{INPUT}", "s3InputFormat": "JSONL"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": folder}},
            timeoutDurationInHours=int(call.options.get("hours", HOURS)),
        )
        job = text(reply.get("jobArn"), "job")
        own = f"{name}/{job.rpartition('/')[2]}"
        _, output = call.media.hand(f"{own}/{INPUT}.out")
        call.media.hand(f"{own}/manifest.json.out")
        return OperationStarted({"job": job, "bucket": bucket, "output": output}, CHECK_AFTER_S)

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """Ask after the batch, and read what it wrote; see `Asynchronous`."""
        exchange = Exchange(self._checking, call)
        reply = exchange.ask("get_model_invocation_job", jobIdentifier=operation_id["job"])
        status = text(reply.get("status"), "status")
        if status in GOES_ON:
            return OperationStarted(dict(operation_id), CHECK_AFTER_S)
        if status not in ENDED:
            # Failed, Stopped, Expired: what was done until then is paid for.
            paid = status != "Failed" or bool(reply.get("processedRecordCount"))
            raise Unavailable("Bedrock did not finish the batch.", code=f"batch_{status.lower()}", maybe_paid=paid)
        outputs = _outputs(handed_back(self._s3, replace(call, timeout=exchange.left()), operation_id))
        if call.task == "chat":
            return replace(_said(call, outputs), facts=exchange.facts)
        return _embeddings(call, outputs, exchange.facts)

    def stop(self, call: Call, operation_id: Mapping[str, str]) -> None:
        """Stop the batch; see `Stoppable`. Of one that has ended the service says that there is a conflict."""
        Exchange(self._checking, call).ask("stop_model_invocation_job", jobIdentifier=operation_id["job"])


def _inputs(call: Call) -> tuple[str, list[Json]]:
    """How Bedrock is to read the records, and what each has."""
    if call.options.get("guardrail") is not None:
        raise ModelGone("Batch inference passes by the model's guardrail.", code="bad_guardrail", param="model")
    if call.task == "chat":
        uncached = replace(call, options={**call.options, "cannot": [*call.options.get("cannot", ()), "prompt_cache"]})
        request = bedrock_converse.request(uncached, bedrock_converse.prepared(uncached))
        if "toolConfig" in request:
            message = "Batch inference takes no tools."
            raise Rejected(message, code="unsupported_tools", param="input.tools")
        # Whose it is, the batch's own name says: it is the job's.
        request = {name: each for name, each in request.items() if name not in ("modelId", "requestMetadata")}
        return "Converse", [request]
    if call.task != "embed":
        raise unsupported_task()
    texts, kind = texts_of(call), family(call, FAMILIES)
    numbers = int(call.options.get("dimensions", kind.dimensions))
    size = sum(len(json.dumps(each)) for each in texts) + len(texts) * numbers * BYTES_OF_A_NUMBER
    if size > min(int(call.options.get("largest_reply", USUAL_REPLY)), LARGEST_REPLY):
        message = f"The embeddings of so many texts, of {numbers} numbers each, may have {size} bytes."
        raise Rejected(message, code="too_many_texts", param="input.text")
    return "InvokeModel", [kind.body([each], call) for each in texts]


def _record_id(place: int) -> str:
    """Eleven letters, as Bedrock's own have."""
    return f"{place:011}"


def _base64(data: bytes) -> str:
    """As the JSON of AWS has bytes (a picture's)."""
    return base64.b64encode(data).decode()


def _outputs(data: bytes) -> dict[str, Json]:
    """What the model answered to each record.

    Raises:
        BrokerError: to one of them nothing.
    """
    try:
        lines = rows([loads(line) for line in data.splitlines() if line.strip()], "records")
    except ValueError:
        bad("The batch's records are not JSON.", code="reply_not_json")
    for line in lines:
        if line.get("error"):
            raise _failed(line["error"])
    return {text(line.get("recordId"), "record"): _object(line.get("modelOutput")) for line in lines}


def _object(output: Any) -> Json:
    if not isinstance(output, dict):
        bad("A record of the batch has no output.")
    return output


def _failed(error: Any) -> BrokerError:
    """What a record's error means: it has an HTTP status, and a text."""
    fault = error if isinstance(error, dict) else {}
    code = fault.get("errorCode")
    status = code if isinstance(code, int) else 500
    refused = {"Error": {"Code": "ValidationException", "Message": fault.get("errorMessage")}}
    found = rejected(refused) if status == 400 else failure(status, {})
    found.maybe_paid = True
    return found


def _said(call: Call, outputs: Mapping[str, Json]) -> Answer:
    (output,) = _in_order(outputs, 1)
    try:
        return bedrock_converse.answer(call, output, bedrock_converse.prepared(call))
    except UNREADABLE:  # it has not gone through botocore's parser
        bad("The batch's record is not in the form of the operation.")


def _embeddings(call: Call, outputs: Mapping[str, Json], facts: Mapping[str, str]) -> Answer:
    texts, kind = texts_of(call), family(call, FAMILIES)
    vectors = Vectors()
    tokens = 0
    for output, each in zip(_in_order(outputs, len(texts)), texts, strict=True):
        found = kind.vectors(output)
        if not isinstance(found, list) or len(found) != 1 or not is_vector(found[0]):
            bad("The model's embeddings are not one vector of numbers for each text.")
        vectors.add(found)
        reported = output.get("inputTextTokenCount")
        tokens += estimate(each) if reported is None else count(reported, "number of tokens")
    return Answer({"embeddings": vectors}, input_tokens=tokens, facts=dict(facts))


def _in_order(outputs: Mapping[str, Json], many: int) -> list[Json]:
    """One output for each record; Bedrock keeps to no order."""
    ids = [_record_id(place) for place in range(many)]
    if outputs.keys() != set(ids):
        bad("The batch has other records than it was given.")
    return [outputs[each] for each in ids]
