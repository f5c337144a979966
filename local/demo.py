"""The main job through all the doors, printing what happens as it happens."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import urllib3
from broker.cli import ALL_SCOPES, create_key, tables_of
from broker.delivery.signing import verify

from local.client import Client
from local.demo_batch import ROWS, run_batch
from local.demo_documents import run_folder
from local.deployment import Cloud
from local.listening import Listener
from local.receiver import Receiver
from local.seeding import Seeded
from local.servers import ROOT

EXAMPLES = ROOT / "examples"


class DemoFailed(Exception):
    """Something did not happen that the demo shows; the message says what."""


class Demo:
    """Runs the scenes in order; each raises `DemoFailed` when it does not come out as it should."""

    def __init__(self, cloud: Cloud, outputs: dict[str, str], seeded: Seeded, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._outputs = outputs
        self._seeded = seeded
        self._say = say
        self._api = Client(outputs["ApiUrl"], seeded.api_key)
        self._document = (EXAMPLES / "lighthouse.txt").read_text()

    def run(self) -> None:
        """All scenes."""
        self._say("\n1. A document is summarised: POST /v1/jobs, then poll")
        self._submit_and_poll()
        self._say("\n2. The same work as an InferenceRequested event; its JobSucceeded comes back on the bus")
        self._event()
        self._say("\n3. The first model fails, the second answers")
        self._fallback()
        self._say("\n4. A guardrail blocks a request before any model sees it")
        self._block()
        self._say("\n5. What is personal stays here: the model gets placeholders, and who may see it the values")
        self._redact()
        self._say("\n6. A file in the inbox bucket becomes a result in the outbox bucket")
        self._file()
        self._say("\n7. A picture is painted, spoken words are written down, a mood is read")
        self._services()
        self._say("\n8. The kind of work chooses the model, each with a fallback; the job says why")
        self._routes()
        self._say("\n9. A batch of 200 rows: one is blocked, one is broken, one asks what another asked")
        self._batch()
        self._say("\n10. A folder of documents of every kind becomes JSON that says which pages it is from")
        self._documents()
        self._say("\n11. A webhook arrives signed, and verifies")
        self._webhook()

    def _summary_request(self, **more: Any) -> dict[str, Any]:
        prompt = {"id": "summarize", "variables": {"document": self._document}}
        return {"task": "chat", "prompt": prompt, "parameters": {"max_output_tokens": 300}, **more}

    def _submit_and_poll(self) -> None:
        answer = self._api.submit(self._summary_request(metadata={"file": "lighthouse.txt"}))
        _need(answer.status == 202, f"expected 202, got {answer.status}: {answer.body}")
        self._say(f"   202 {answer.body['id']} is {answer.body['status']}")
        job = self._ended(answer.body["id"], "succeeded")
        self._say(f"   “{_short(job['output']['text'])}”")
        usage = job["usage"]
        self._say(
            f"   model {job['model']}, {usage['input_tokens']} + {usage['output_tokens']} tokens, "
            f"{usage['cost_usd']:.6f} $"
        )

    def _event(self) -> None:
        mark = f"demo-{uuid.uuid4()}"
        with Listener(self._cloud, self._outputs["BusName"]) as heard:
            entry = {
                "EventBusName": self._outputs["BusName"],
                "Source": "demo.orders",
                "DetailType": "InferenceRequested",
                "Detail": json.dumps(self._summary_request(metadata={"mark": mark})),
            }
            sent = self._cloud.client("events").put_events(Entries=[entry])["Entries"][0]
            self._say(f"   event {sent['EventId']} put on the bus {self._outputs['BusName']}")
            event = heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == sent["EventId"])
        _need(event is not None, "no JobSucceeded came back")
        self._say("   " + json.dumps(event, indent=2).replace("\n", "\n   "))

    def _fallback(self) -> None:
        request = self._summary_request(model="local-overloaded", routing={"fallbacks": ["local-large"]})
        job = self._ended(self._api.submit(request).body["id"], "succeeded")
        for attempt in job["attempts"]:
            self._say(f"   {attempt['model']}: {attempt['outcome']} after {attempt['latency_ms']} ms")
        _need(job["model"] == "local-large", f"expected local-large, got {job['model']}")

    def _block(self) -> None:
        request = {"input": {"text": "Charge my card 4111 1111 1111 1111 and tell me about Project Nightjar."}}
        job = self._ended(self._api.submit(request).body["id"], "blocked")
        self._say(f"   {job['status']}: {job['error']['message']}")
        _need(job["attempts"] == [], "a model saw the request")

    def _redact(self) -> None:
        address = "ann.lee@lamps.example"
        tables = tables_of(self._cloud, self._outputs)
        reads, fills = (
            Client(self._api.base_url, create_key(tables, "private", "demo", (*ALL_SCOPES, *more)))
            for more in ((), ("pii:read",))
        )
        text = f"Please write to {address}, who pays by 4539 1488 0343 6467. The lamp is out."
        job_id = reads.submit({"input": {"text": text}, "model": "local-small"}).body["id"]
        told, filled = (each.finished(job_id)["output"]["text"] for each in (reads, fills))
        # This model repeats what it was told.
        _need("<EMAIL_1>" in told and address not in told and "1488" not in told, f"the model was told {told}")
        _need(address in filled and "1488" not in filled, f"the answer was filled in as {filled}")
        self._say(f"   sent: “{text}”")
        self._say(f"   the model, and most callers: “{told}”")
        self._say(f"   a caller with pii:read: “{filled}”")

    def _file(self) -> None:
        s3 = self._cloud.client("s3")
        key = f"demo/{uuid.uuid4().hex[:8]}/minutes.txt"
        with Listener(self._cloud, self._outputs["BusName"]) as heard:
            s3.put_object(Bucket=self._outputs["InboxBucket"], Key=key, Body=(EXAMPLES / "minutes.txt").read_bytes())
            self._say(f"   examples/minutes.txt put into the inbox as {key}")
            event = heard.wait("BatchCompleted", lambda detail: detail["data"]["key"] == key)
        _need(event is not None, "no BatchCompleted came")
        result_key = event["detail"]["data"]["result_key"] if event else ""
        result = s3.get_object(Bucket=self._outputs["OutboxBucket"], Key=result_key)["Body"].read()
        job = json.loads(result)
        _need(job["status"] == "succeeded", f"the file's job is {job['status']}: {job['error']}")
        self._say(f"   {result_key} is in the outbox: {job['id']} {job['status']}")
        self._say(f"   “{_short(job['output']['text'])}”")

    def _services(self) -> None:
        painted = self._done("generate_image", {"text": "A lighthouse at night.", "size": "256x256"})
        picture = painted["files"][0]
        _need(_download(picture)[:4] == b"\x89PNG", "the link leads to no PNG")
        self._say(f"   {picture['media_type']}, {picture['bytes']} bytes at {_short(picture['url'])}")
        spoken = self._done("speak", {"text": "The lamp needed nobody."}, model="local-voice")["files"][0]
        file = {"data": base64.b64encode(_download(spoken)).decode(), "media_type": spoken["media_type"]}
        heard = self._done("transcribe", {"file": file})["text"]
        _need(heard == "The lamp needed nobody.", f"something else was heard: {heard}")
        self._say(f"   “{heard}”")
        self._say(f"   {self._done('sentiment', {'text': 'The keeper slept.'})['sentiment']}")

    def _done(self, task: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = self._api.submit({"task": task, "input": given, **more})
        _need(answer.status == 202, f"expected 202, got {answer.status}: {answer.body}")
        output: dict[str, Any] = self._ended(answer.body["id"], "succeeded")["output"]
        return output

    def _routes(self) -> None:
        for query_type in ("summarize", "creative", "technical", None):
            routing = {"routing": {"query_type": query_type}} if query_type else {}
            job = self._ended(self._api.submit(self._summary_request(**routing)).body["id"], "succeeded")
            first, *others = [each for each in job["route"] if each["taken"]]
            _need(job["model"] == first["model"], f"expected {first['model']}, got {job['model']}")
            self._say(f"   {query_type or 'anything else'}: {job['model']} ({first['why']})")
            self._say(f"      would have followed: {', '.join(each['model'] for each in others)}")

    def _batch(self) -> None:
        batch = run_batch(self._api, self._say)
        counts = {name: count for name, count in batch["counts"].items() if count}
        _need(batch["status"] == "completed", f"the batch is {batch['status']}: {batch['errors']}")
        _need(counts == {"succeeded": ROWS - 2, "blocked": 1, "rejected": 1}, f"its rows came to {counts}")
        _need(batch["duplicates"] == 1, f"{batch['duplicates']} rows took another's answer")
        self._say(f"   {counts}, {batch['duplicates']} of it paid once for two, {batch['usage']['cost_usd']:.6f} $")

    def _documents(self) -> None:
        results = run_folder(self._cloud.client("s3"), self._outputs, self._say)
        for name, result in results.items():
            _need(result is not None, f"{name} has no result")
            _need(not result["error"], f"{name}: {result['error']}")
            _need(bool(result["citations"]["pages"]), f"the answer to {name} cites no page")

    def _webhook(self) -> None:
        with Receiver() as receiver:
            request = self._summary_request(webhook={"url": receiver.url, "events": ["job.succeeded"]})
            job_id = self._api.submit(request).body["id"]
            arrived = receiver.wait(1, 60)
            _need(len(arrived) > 0, "no webhook arrived")
            verify([self._seeded.webhook_secret], arrived[0].headers, arrived[0].body, int(time.time()))
            event = json.loads(arrived[0].body)
            _need(event["data"]["job_id"] == job_id, "the webhook is of another job")
            self._say(f"   {event['type']} {arrived[0].headers['webhook-id']}: the signature verifies")

    def _ended(self, job_id: str, status: str) -> dict[str, Any]:
        job = self._api.finished(job_id)
        _need(job.get("status") == status, f"job {job_id} should be {status}, is {job.get('status')}: {job}")
        self._say(f"   {job_id} {job['status']}")
        return job


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise DemoFailed(message)


def _download(file: dict[str, Any]) -> bytes:
    """What a file's link leads to; it needs no credentials."""
    return urllib3.request("GET", file["url"], retries=False, timeout=20).data


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:160]}…"
