"""One job through the handlers, as AWS would call them one after the other, with a meter on each.

For a process that has the functions' environment: importing this loads the handlers.
"""

import contextlib
import io
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from broker.cloud import clients
from handlers import api, check_input, dispatch, invoke_model, moderate_output, publish, select_model, settle_job

Event = dict[str, Any]


class Context:
    """Lambda's, as far as the handlers look at it."""

    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        """A minute, always."""
        return 60_000


class Meter:
    """CPU milliseconds of each call of a handler; AWS calls of each handler, and their part of its time."""

    def __init__(self) -> None:
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.in_calls: dict[str, float] = defaultdict(float)
        self.last: dict[str, Any] = {}
        """The newest request of each AWS operation."""
        self._at = ""
        plain = clients.client
        clients.client = cache(lambda *wanted: _Metered(plain(*wanted), self))

    def forget(self) -> None:
        """Begin anew."""
        self.cpu.clear()
        self.calls.clear()
        self.in_calls.clear()

    def call(self, name: str, handler: Callable[[Any, Any], Any], event: Event) -> Any:
        """Call a handler; what it prints is thrown away."""
        self._at = name
        with contextlib.redirect_stdout(io.StringIO()):
            began = time.process_time()
            result = handler(event, Context())
            self.cpu[name].append((time.process_time() - began) * 1000)
        return result

    def aws(self, operation: str, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Make one AWS call."""
        self.last[operation] = request
        began = time.process_time()
        try:
            return call(**request)
        finally:
            self.in_calls[self._at] += (time.process_time() - began) * 1000
            self.calls[self._at] += 1


class _Metered:
    def __init__(self, client: Any, meter: Meter) -> None:
        self._client, self._meter = client, meter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(**request: Any) -> Any:
            return self._meter.aws(name, found, request)

        setattr(self, name, call)
        return call


class Job:
    """A job of this request."""

    def __init__(self, meter: Meter, body: Event) -> None:
        self._call, self._meter, self._body = meter.call, meter, body

    def run(self) -> None:
        """From the request to its answer, by the states of `statemachines/inference.asl.json`.

        Raises:
            AssertionError: it did not succeed.
        """
        accepted = self._call("api, submit", api.handler, _request("POST", "/jobs", body=json.dumps(self._body)))
        if accepted["statusCode"] != 202:
            raise AssertionError(f"the job was refused: {accepted['body']}")
        job_id = json.loads(accepted["body"])["id"]
        record = {
            "messageId": job_id,
            "receiptHandle": "x",
            "body": self._meter.last["send_message"]["MessageBody"],
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        self._call("dispatch", dispatch.handler, {"Records": [record | {"eventSource": "aws:sqs"}]})
        before = self._head(job_id)
        run = json.loads(self._meter.last["start_execution"]["input"]) | {"execution": f"{job_id}:1"}
        self._call("check_input", check_input.handler, run)
        selected = self._call("select_model", select_model.handler, run)
        run |= {name: selected[name] for name in ("keep", "route") if name in selected}
        asked = self._call(
            "invoke_model", invoke_model.handler, run | {"candidates": selected["candidates"], "place": 0}
        )
        answer = asked["answer"]
        self._call("moderate_output", moderate_output.handler, run | {"output": answer["output"]})
        self._call("settle_job", settle_job.handler, run | {"ending": {"answer": answer}})
        keys = {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "HEAD"}}
        change = {"SequenceNumber": "1", "Keys": keys, "OldImage": before, "NewImage": self._head(job_id)}
        record = {"eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": change}
        self._call("publish", publish.handler, {"Records": [record]})
        poll = _request("GET", "/jobs/{id}", id=job_id)
        ended = json.loads(self._call("api, poll", api.handler, poll)["body"])
        if ended["status"] != "succeeded":
            raise AssertionError(f"the job did not succeed: {ended}")

    def _head(self, job_id: str) -> Any:
        """As the stream would show it; between the handlers, so that it is no call of theirs."""
        from broker.bootstrap.adapters import setting

        key = {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "HEAD"}}
        plain = clients.client("dynamodb")._client
        return plain.get_item(TableName=setting("JOBS_TABLE"), Key=key, ConsistentRead=True)["Item"]


def _request(method: str, resource: str, body: str | None = None, **path: str) -> Event:
    """As API Gateway hands it on."""
    authorizer = {"tenant": "demo", "principal": "bench", "scopes": "jobs:read jobs:write"}
    context = {"requestId": "request", "authorizer": authorizer, "identity": {"sourceIp": "127.0.0.1"}}
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer x"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": path or None,
        "requestContext": context | {"resourcePath": resource, "httpMethod": method, "stage": "v1"},
        "body": body,
        "isBase64Encoded": False,
    }
