"""Ends from outside: cancel and expiry, while queued and while running."""

from local.listening import Listener
from tests.e2e.stack import Stack, chat, until


def test_a_queued_job_is_canceled_at_once_and_never_runs(stack: Stack) -> None:
    with stack.nothing_dispatched():
        job_id = stack.api.submit(chat()).body["id"]
        answer = stack.api.call("POST", f"/jobs/{job_id}/cancel")
        assert (answer.status, answer.body["status"]) == (200, "canceled")
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    assert (job["status"], job["started_at"], job["attempts"]) == ("canceled", None, [])


def test_a_running_job_is_canceled_at_once_and_its_late_answer_is_paid_for(stack: Stack) -> None:
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        job_id = stack.api.submit(chat(model="slow")).body["id"]
        assert until(lambda: stack.api.call("GET", f"/jobs/{job_id}").body["attempts"])
        answer = stack.api.call("POST", f"/jobs/{job_id}/cancel")
        assert (answer.status, answer.body["status"]) == (200, "canceled")
        assert answer.body["attempts"][0]["paid"] == "unknown"

        def paid() -> bool:
            return bool(stack.api.call("GET", f"/jobs/{job_id}").body["attempts"][0]["paid"] == "yes")

        assert until(paid)
        events = [each for each in heard.drain() if each["detail"]["data"].get("job_id") == job_id]
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    assert (job["status"], job["output"]) == ("canceled", None)
    assert job["usage"]["cost_usd"] > 0
    assert [each["detail-type"] for each in events] == ["JobAccepted", "JobStarted", "JobCanceled"]


def test_a_job_that_has_ended_cannot_be_canceled(stack: Stack) -> None:
    job = stack.run(chat())
    answer = stack.api.call("POST", f"/jobs/{job['id']}/cancel")
    assert (answer.status, answer.body["error"]["type"]) == (409, "not_cancelable")


def test_a_queued_job_expires_at_its_deadline(stack: Stack) -> None:
    with stack.nothing_dispatched():
        job_id = stack.api.submit(chat(deadline_seconds=1)).body["id"]

        def expired() -> bool:
            stack.sweep()
            return bool(stack.api.call("GET", f"/jobs/{job_id}").body["status"] == "expired")

        assert until(expired)
    assert stack.api.call("GET", f"/jobs/{job_id}").body["error"]["code"] == "deadline_passed"


def test_a_running_job_expires_at_its_deadline(stack: Stack) -> None:
    job_id = stack.api.submit(chat(model="hangs-on", deadline_seconds=2)).body["id"]

    def expired() -> bool:
        stack.sweep()
        return bool(stack.api.call("GET", f"/jobs/{job_id}").body["ended_at"])

    assert until(expired)
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    assert job["status"] == "expired", job["error"]


def test_a_job_that_was_never_enqueued_is_sent_by_the_sweep(stack: Stack) -> None:
    with stack.nothing_dispatched():
        job_id = stack.api.submit(chat()).body["id"]
        sqs = stack.cloud.client("sqs")
        sqs.purge_queue(QueueUrl=stack.physical("InteractiveQueue"))
    stack.make_due(job_id)
    assert stack.sweep()["requeued"] >= 1
    assert stack.api.finished(job_id)["status"] == "succeeded"


def test_a_job_whose_message_died_is_sent_again_and_ends_well(stack: Stack) -> None:
    with stack.nothing_dispatched():
        job_id = stack.api.submit(chat()).body["id"]
        sqs = stack.cloud.client("sqs")
        sqs.purge_queue(QueueUrl=stack.physical("InteractiveQueue"))
        body = f'{{"job_id": "{job_id}", "tenant": "demo"}}'
        sqs.send_message(QueueUrl=stack.physical("InteractiveDeadLetters"), MessageBody=body)
        assert until(lambda: stack.sweep()["dead_letters"])
        assert stack.api.call("GET", f"/jobs/{job_id}").body["status"] == "queued"
    stack.make_due(job_id)
    assert stack.sweep()["requeued"] >= 1
    assert stack.api.finished(job_id)["status"] == "succeeded"
