"""What MiniStack's Bedrock lacks: embeddings, pictures, batches that are worked on, and what Converse refuses.

Texts are embedded and pictures painted as the local models do it, in the forms of Titan, Nova Canvas and Stability AI
(Amazon Bedrock User Guide, "Inference request parameters and response fields for foundation models"). A batch is done
when it is first asked after, each record by the same models or by MiniStack's own Converse; what it writes and says is
as Bedrock has it ("View the results of a batch inference job"), and what a role may do with batches and guardrails is
held against their ARNs. Its models' names take an order to misbehave, as those of the local models do:
`any.claude!thinking` (`model_server.odd.bedrock`).
"""

import asyncio
import base64
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import bedrock, bedrock_runtime, s3

from local.model_server.brain.painting import paint
from local.model_server.brain.vectors import embed
from local.model_server.exchange import OddReply, Problem
from local.model_server.odd.bedrock import CONVERSE, INVOKE, error
from local.model_server.rules import converse as rules

Json = dict[str, Any]
Reply = tuple[int, dict[str, str], bytes]

APPLIED = re.compile(r"/guardrail/([^/]+)/version/[^/]+/apply")
ONE = re.compile(r"/model-invocation-job/(.+?)(/stop)?")

SLOW = "Take your time."
"""A record that says so keeps its batch from ending."""

_jobs: dict[str, Json] = {}


def patch() -> None:
    """Change MiniStack in memory, before it starts."""
    as_shipped = bedrock.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if method == "POST" and path == "/model-invocation-job":
            return _begin(json.loads(body))
        if found := ONE.fullmatch(path):
            return await asyncio.to_thread(_stopped if found[2] else _told, unquote(found[1]))
        return await as_shipped(method, path, headers, body, query)

    bedrock.handle_request = handle_request
    invoke = bedrock_runtime._invoke_model

    def invoke_model(model_id: str, headers: Any, body: bytes) -> Any:
        if odd := _odd(model_id, INVOKE):
            return odd
        asked = json.loads(body)
        made = _made(asked)
        return invoke(model_id, headers, body) if made is None else _json(made)

    bedrock_runtime._invoke_model = invoke_model
    converse = bedrock_runtime._converse

    def by_the_rules(model_id: str, headers: Any, body: bytes) -> Any:
        try:
            rules.check(json.loads(body), model_id)
        except Problem as problem:
            return _error(400, "ValidationException", problem.message)
        return _odd(model_id, CONVERSE) or converse(model_id, headers, body)

    bedrock_runtime._converse = by_the_rules
    resource = iam_actions.extract_resource_arn

    def of_jobs_and_guardrails(service: str, method: str, path: str, *request: Any) -> str:
        if service == "bedrock" and path.startswith("/model-invocation-job"):
            return _arn(unquote(path).removesuffix("/stop").rpartition("/")[2])
        if service == "bedrock-runtime" and (applied := APPLIED.fullmatch(path)):
            return _arn(unquote(applied[1]).rpartition("/")[2], "guardrail")
        return str(resource(service, method, path, *request))

    iam_actions.extract_resource_arn = of_jobs_and_guardrails


def _odd(model_id: str, replies: dict[str, OddReply]) -> Reply | None:
    """What was ordered after a `!` in the model's id, if anything; an unknown order is a ValidationException."""
    _, _, order = model_id.partition("!")
    if not order:
        return None
    odd = replies.get(order) or error(400, "ValidationException", f"Misbehaviour '{order}' has no meaning here.")
    return odd.status, {"Content-Type": "application/json"}, json.dumps(odd.body).encode()


def _begin(asked: Json) -> Reply:
    arn = _arn(uuid.uuid4().hex[:12])
    _jobs[arn] = asked | {"jobArn": arn, "status": "InProgress", "submitTime": datetime.now(UTC).isoformat()}
    return _json({"jobArn": arn})


def _arn(name: str, kind: str = "model-invocation-job") -> str:
    return f"arn:aws:bedrock:{get_region()}:{get_account_id()}:{kind}/{name}"


def _job(identifier: str) -> Json | None:
    return next((each for arn, each in _jobs.items() if identifier in (arn, arn.rpartition("/")[2])), None)


def _told(identifier: str) -> Reply:
    job = _job(identifier)
    if job is None:
        return _error(404, "ResourceNotFoundException")
    if job["status"] == "InProgress":
        _work(job)
    return _json(job)


def _stopped(identifier: str) -> Reply:
    job = _job(identifier)
    if job is None:
        return _error(404, "ResourceNotFoundException")
    if job["status"] != "InProgress":
        return _error(400, "ConflictException")
    job["status"] = "Stopped"
    return _json({})


def _error(status: int, name: str, message: str = "Not with this job.") -> Reply:
    return status, {"x-amzn-errortype": name}, json.dumps({"message": message}).encode()


def _work(job: Json) -> None:
    bucket, _, key = job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].removeprefix("s3://").partition("/")
    folder = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{bucket}/")
    given = s3._get_object_data(bucket, key)
    if given is None:
        job |= {"status": "Failed", "message": "There is no input."}
        return
    if SLOW.encode() in given:
        return
    lines = [_record(job, json.loads(line)) for line in given.splitlines()]
    text = "".join(f"{json.dumps(line)}\n" for line in reversed(lines))  # in no order, as Bedrock's
    place = f"{folder}{job['jobArn'].rpartition('/')[2]}/{key.rpartition('/')[2]}.out"
    s3._put_object(bucket, place, text.encode(), {})
    job["status"] = "Completed"


def _record(job: Json, line: Json) -> Json:
    asked = line["modelInput"]
    if made := _made(asked):
        return line | {"modelOutput": made}
    status, _, body = bedrock_runtime._converse(job["modelId"], {}, json.dumps(asked).encode())
    if status >= 400:
        return line | {"error": {"errorCode": status, "errorMessage": body.decode()}}
    return line | {"modelOutput": json.loads(body)}


def _made(asked: Json) -> Json | None:
    """The vector or the pictures that a model makes of a request; None where it is no such request."""
    match asked:
        case {"inputText": str(text)}:
            return {"embedding": embed(text, asked.get("dimensions", 1024)), "inputTextTokenCount": len(text.split())}
        case {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}}:
            size = asked.get("imageGenerationConfig", {})
            many = range(size.get("numberOfImages", 1))
            return {"images": [_painted(text, size.get("width", 512), size.get("height", 512), each) for each in many]}
        case {"prompt": str(text), "output_format": _}:
            return {"images": [_painted(text, 512, 512, 0)], "seeds": [1], "finish_reasons": [None]}
    return None


def _painted(text: str, width: int, height: int, number: int) -> str:
    return base64.b64encode(paint(text, width, height, number)).decode()


def _json(value: Json) -> Reply:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()
