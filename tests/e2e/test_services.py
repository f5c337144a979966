"""Pictures, sounds and services: on the local model server, and on moto in the place of AWS's own."""

import base64
import struct
from typing import Any

import pytest
import urllib3
from broker.clock import now_ms
from broker.jobs.head import Head, Status
from broker.jobs.store import Jobs
from broker.jobs.transitions import Fence, put_back

from local.emulator.bedrock import SLOW
from local.model_server.brain.painting import paint
from local.model_server.brain.sound import heard, say
from local.servers import Servers
from tests.e2e.conftest import FOLDER
from tests.e2e.stack import Stack, until
from tests.unit.documents.samples import pdf as typeset
from tests.unit.documents.samples import picture as written
from tests.unit.documents.samples import prose

SAID = "The lamp needed nobody. The keeper slept."
PICTURE = paint("a lighthouse", 64, 48)
LINES = ("The lamp needed nobody.", "The keeper slept.")
PDF = typeset(*(prose(line, size=24) for line in LINES))
"""A page for each line."""


def succeeded(stack: Stack, task: str, model: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A job of the task, which has to end well."""
    job = stack.run({"task": task, "model": model, "input": given, **more})
    assert job["status"] == "succeeded", job["error"]
    assert stack.calls_of(job) == [model], job["attempts"]
    return job


def put(stack: Stack, name: str, body: bytes, kind: str, tenant: str = "demo") -> str:
    """An object of the inbox that a request may name; gives its address."""
    inbox = stack.outputs["InboxBucket"]
    key = f"{tenant}/media/{name}"
    stack.cloud.client("s3").put_object(Bucket=inbox, Key=key, Body=body, ContentType=kind)
    return f"s3://{inbox}/{key}"


def download(file: dict[str, Any]) -> bytes:
    """What a file's link leads to, fetched by someone who has nothing but the link."""
    reply = urllib3.request("GET", file["url"], retries=False, timeout=20)
    assert reply.status == 200, reply.data
    assert len(reply.data) == file["bytes"]
    assert reply.headers["content-type"] == file["media_type"]
    return reply.data


def test_pictures_are_painted_and_their_links_download(stack: Stack) -> None:
    job = succeeded(stack, "generate_image", "local-painter", {"text": "A lamp.", "size": "320x200", "count": 2})
    files = job["output"]["files"]
    pictures = [download(file) for file in files]
    assert [each[:8] for each in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert [struct.unpack(">II", each[16:24]) for each in pictures] == [(320, 200)] * 2
    assert pictures[0] != pictures[1]
    assert job["usage"]["cost_usd"] == pytest.approx(0.08)


@pytest.mark.parametrize("model", ["local-voice", "local-polly"])
def test_a_text_is_spoken_and_its_link_downloads(stack: Stack, model: str) -> None:
    job = succeeded(stack, "speak", model, {"text": SAID})
    sound = download(job["output"]["files"][0])
    assert sound
    assert job["usage"]["cost_usd"] == pytest.approx(len(SAID) * {"local-voice": 15e-6, "local-polly": 16e-6}[model])
    if model == "local-voice":
        assert heard(sound)[0] == SAID


def test_what_is_said_in_a_file_of_the_inbox_is_written_down(stack: Stack) -> None:
    sound = put(stack, "spoken.wav", say(SAID), "audio/wav")
    output = succeeded(stack, "transcribe", "local-listener", {"file": {"s3": sound}})["output"]
    assert (output["text"], output["language"]) == (SAID, "en")
    assert [each["text"] for each in output["segments"]] == ["The lamp needed nobody.", "The keeper slept."]


def test_a_mood_is_read(stack: Stack) -> None:
    job = succeeded(stack, "sentiment", "local-sentiment", {"text": "The queue is wide."})
    assert job["output"]["sentiment"] == "neutral"
    assert sum(job["output"]["scores"].values()) == pytest.approx(1, abs=0.01)
    assert job["usage"]["cost_usd"] == pytest.approx(0.0003)


def test_a_picture_of_the_inbox_is_looked_at(stack: Stack) -> None:
    picture = put(stack, "lighthouse.png", PICTURE, "image/png")
    job = succeeded(stack, "analyze_image", "local-eyes", {"file": {"s3": picture}, "features": ["text"]})
    assert job["output"]["labels"]
    assert job["output"]["text"]
    assert job["usage"]["cost_usd"] == pytest.approx(0.002)


def test_a_picture_of_the_request_is_read_at_once(stack: Stack) -> None:
    page = {"data": base64.b64encode(written("The lamp needed nobody.")).decode(), "media_type": "image/png"}
    job = succeeded(stack, "extract_text", "local-text", {"file": page})
    assert job["output"]["text"] == "The lamp needed nobody."
    assert job["usage"]["cost_usd"] == pytest.approx(0.0015)


@pytest.mark.parametrize("timeout", [120, 600])
def test_a_document_is_read_while_the_workflow_waits(stack: Stack, timeout: int) -> None:
    document = put(stack, "minutes.pdf", PDF, "application/pdf")
    job = succeeded(stack, "extract_text", "local-text", {"file": {"s3": document}}, timeout_seconds=timeout)
    assert job["output"] == {"text": "\n\n".join(LINES), "pages": len(LINES)}
    # The service was asked again after its five seconds, in the same attempt.
    assert [each["latency_ms"] >= 4000 for each in job["attempts"]] == [True]


def test_a_chat_takes_a_picture(stack: Stack) -> None:
    pictures = [
        "data:image/png;base64," + base64.b64encode(PICTURE).decode(),
        put(stack, "lighthouse-2.png", PICTURE, "image/png"),
    ]
    content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    content.append({"type": "text", "text": f"Summarize: {SAID}"})
    job = succeeded(stack, "chat", "local-large", {"messages": [{"role": "user", "content": content}]})
    assert "lamp" in job["output"]["text"]


def test_an_endpoint_is_sent_what_it_takes(stack: Stack) -> None:
    services = Servers(FOLDER, print).running()["services"].url
    results = {"region": "us-east-1", "results": [{"Body": '{"rain": 0.7}', "ContentType": "application/json"}]}
    urllib3.request("POST", f"{services}/moto-api/static/sagemaker/endpoint-results", json=results)
    output = succeeded(stack, "custom", "endpoint", {"body": {"day": "Monday"}})["output"]
    assert output == {"body": {"rain": 0.7}}


@pytest.mark.parametrize("tenant", ["other", "nobody"])
def test_a_file_of_others_is_not_taken(stack: Stack, tenant: str) -> None:
    inbox = stack.outputs["InboxBucket"]
    file = {"s3": f"s3://{inbox}/{tenant}/spoken.wav"}
    answer = stack.api.submit({"task": "transcribe", "model": "local-listener", "input": {"file": file}})
    assert (answer.status, answer.body["error"]["param"]) == (400, "input.file.s3")


def test_a_batch_of_texts_is_handed_over_and_goes_with_its_job(stack: Stack) -> None:
    texts = [f"The lamp number {number} needed nobody." for number in range(120)]
    job = succeeded(stack, "embed", "local-batch", {"text": texts})
    found = job["output"]["embeddings"]
    assert len(found) == len(texts)
    assert found[7] == succeeded(stack, "embed", "local-batch", {"text": texts[7]})["output"]["embeddings"][0]
    assert job["usage"]["input_tokens"] == 6 * len(texts), "as the batch counted them"
    handed = {"Bucket": stack.physical("PayloadsBucket"), "Prefix": f"services/{job['id']}/"}
    s3 = stack.cloud.client("s3")
    assert len(s3.list_objects_v2(**handed)["Contents"]) == 2
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204
    assert "Contents" not in s3.list_objects_v2(**handed)


def test_a_batch_that_nobody_waits_for_is_stopped(stack: Stack) -> None:
    bedrock = stack.cloud.client("bedrock")
    accepted = stack.api.submit({"model": "local-batch", "input": {"text": SLOW}})
    jobs = Jobs(stack.database, ())
    begun = until(lambda: [call["h"] for call in jobs.get(accepted.body["id"]).calls.values() if "h" in call])
    assert bedrock.get_model_invocation_job(jobIdentifier=begun[0]["job"])["status"] == "InProgress"
    assert stack.api.call("POST", f"/jobs/{accepted.body['id']}/cancel").status == 200
    stopped = until(lambda: bedrock.get_model_invocation_job(jobIdentifier=begun[0]["job"])["status"] == "Stopped")
    assert stopped, "the run finds the job canceled at its next look, and says so"


def test_a_batch_of_a_job_that_is_canceled_in_its_queue_is_stopped(stack: Stack) -> None:
    bedrock = stack.cloud.client("bedrock")
    job_id = stack.api.submit({"model": "local-batch", "input": {"text": SLOW}}).body["id"]
    jobs = Jobs(stack.database, ())
    begun = until(lambda: [call["h"] for call in jobs.get(job_id).calls.values() if "h" in call])
    machine = stack.physical("StandardWorkflow").replace(":stateMachine:", ":execution:")
    execution = f"{machine}:{jobs.get(job_id).execution}"
    stack.cloud.client("stepfunctions").stop_execution(executionArn=execution)  # nobody looks again

    def back(head: Head) -> Head:
        fence = Fence(head.run, head.execution or "")
        return put_back(head, fence, "capacity", answered=False, now=now_ms(), chance=1.0)

    assert jobs.change(job_id, back).status is Status.QUEUED
    assert stack.api.call("POST", f"/jobs/{job_id}/cancel").status == 200
    assert until(lambda: bedrock.get_model_invocation_job(jobIdentifier=begun[0]["job"])["status"] == "Stopped")


def test_a_chat_may_take_the_way_of_a_batch(stack: Stack) -> None:
    job = succeeded(stack, "chat", "local-batch", {"text": "Summarize: The lamp needed nobody. The keeper slept."})
    assert job["output"]["text"]
    assert job["route"][0]["why"] == "named by the request"
