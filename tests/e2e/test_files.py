"""The door for files: what is put into the inbox comes out of the outbox, and is told of on the bus."""

import json
from typing import Any

from local.listening import Listener
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, until


def completed(heard: Listener, key: str) -> dict[str, Any]:
    """The facts of a file's BatchCompleted."""
    event = heard.wait("BatchCompleted", lambda detail: detail["data"]["key"] == key)
    assert event is not None, f"no BatchCompleted of {key}"
    facts: dict[str, Any] = event["detail"]
    return facts


def of_batch(heard: Listener, batch_id: str) -> list[dict[str, Any]]:
    """All events of a batch and of its jobs."""
    return [each for each in heard.drain() if each["detail"]["metadata"]["correlation_id"] == batch_id]


def test_a_document_is_summarised_and_told_of(stack: Stack) -> None:
    files = Files(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        key = files.put("grüße an alle.txt", "The lamp needed nobody. The keeper distrusted it, then slept.")
        event = completed(heard, key)
        mine = of_batch(heard, event["data"]["batch_id"])
    job = json.loads(files.text(f"{key}.result.json"))
    assert event["data"]["result_key"] == f"{key}.result.json"
    assert (event["metadata"]["tenant"], event["data"]["total"], event["data"]["counts"]["succeeded"]) == ("demo", 1, 1)
    assert job["status"] == "succeeded"
    assert job["output"]["text"]
    assert stack.api.call("GET", f"/jobs/{job['id']}").body["output"] == job["output"]
    assert {each["detail-type"] for each in mine} == {"JobAccepted", "JobStarted", "JobSucceeded", "BatchCompleted"}
    assert "lamp" not in json.dumps(mine)


def test_one_request_is_one_result(stack: Stack) -> None:
    files = Files(stack)
    key = files.put("order.json", json.dumps(chat(metadata={"order": "17"})))
    job = json.loads(files.text(f"{key}.result.json"))
    assert (job["status"], job["metadata"]) == ("succeeded", {"order": "17"})


def test_lines_come_back_in_their_order_with_the_errors_of_bad_ones(stack: Stack) -> None:
    files = Files(stack)
    lines = [json.dumps(chat(f"Summarize: {number}.", metadata={"n": str(number)})) for number in range(5)]
    lines[1:1] = ["", "{not json", json.dumps(chat(model="no-such"))]
    lines.append(json.dumps(chat("4111 1111 1111 1111")))
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        key = files.put("orders.jsonl", "\n".join(lines) + "\n")
        event = completed(heard, key)["data"]
    rows = files.rows(key)
    assert [row["line"] for row in rows] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert [row["error"]["code"] for row in rows[1:3]] == ["invalid_json", "unknown_model"]
    done = [rows[0], *rows[3:7]]
    assert [row["job"]["metadata"]["n"] for row in done] == ["0", "1", "2", "3", "4"]
    assert all(row["job"]["output"]["text"] for row in done)
    assert (rows[7]["job"]["status"], rows[7]["job"]["error"]["source"]) == ("blocked", "policy")
    counts = {name: count for name, count in event["counts"].items() if count}
    assert (event["total"], counts) == (8, {"succeeded": 5, "blocked": 1, "rejected": 2})


def test_a_file_of_bad_lines_only_is_collected_too(stack: Stack) -> None:
    files = Files(stack)
    rows = files.rows(files.put("bad.jsonl", "{}\n[]"))
    assert [row["error"]["type"] for row in rows] == ["invalid_request"] * 2


def test_a_file_that_cannot_be_taken_is_answered_with_the_reason(stack: Stack) -> None:
    files = Files(stack)
    cases = {
        files.put("a.txt", "Hello.", tenant="nobody"): "unknown_tenant",
        files.put("b.json", "{"): "invalid_json",
        files.put("c.json", b'{"input": {"text": "\xff"}}'): "invalid_encoding",
        files.put("d.jsonl", "\n \n"): "empty_file",
        files.put("e.txt", ""): "empty_file",
    }
    for key, code in cases.items():
        error = json.loads(files.text(f"{key}.error.json"))["error"]
        assert (error["code"], error.keys()) == (code, {"type", "code", "message", "param", "request_id"})


def test_a_rejection_is_told_on_the_bus(stack: Stack) -> None:
    files = Files(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        key = files.put("a.txt", "Hello.", tenant="nobody")
        event = heard.wait("RequestRejected", lambda detail: detail["data"]["key"] == key)
    assert event is not None
    assert event["detail"]["data"]["error"]["code"] == "unknown_tenant"


def _none_of(counts: dict[str, str]) -> bool:
    return all(count == "0" for count in counts.values())


def test_the_same_event_twice_makes_the_same_jobs(stack: Stack) -> None:
    files = Files(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        key = files.put("twice.jsonl", "\n".join(json.dumps(chat(f"Summarize: {n}.")) for n in range(3)))
        first = completed(heard, key)
        ids = [row["job"]["id"] for row in files.rows(key)]
        event = {"source": "aws.s3", "detail-type": "Object Created", "detail": files.version(key)}
        sqs, queue = stack.cloud.client("sqs"), stack.physical("FilesQueue")
        for body in (event, event):
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body))
        left = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = until(lambda: _none_of(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=left)["Attributes"]))
        assert counts, "the messages were not taken"
        mine = of_batch(heard, first["data"]["batch_id"])
    assert [row["job"]["id"] for row in files.rows(key)] == ids
    assert {each["detail"]["data"]["job_id"] for each in mine if each["detail-type"] == "JobAccepted"} == set(ids)
    completions = [each["detail"] for each in mine if each["detail-type"] == "BatchCompleted"]
    assert {each["metadata"]["event_id"] for each in completions} == {first["metadata"]["event_id"]}


def test_a_lost_collection_is_asked_for_by_the_sweep(stack: Stack) -> None:
    files = Files(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        key = files.put("lost.json", json.dumps(chat()))
        batch_id = completed(heard, key)["data"]["batch_id"]
        before = files.text(f"{key}.result.json")
        stack.lose_collection(batch_id, f"{key}.result.json")
        stack.sweep()
        assert files.text(f"{key}.result.json") == before
