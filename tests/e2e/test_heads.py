"""The head goes along in messages and workflows: one that is old decides nothing, whatever became of its job since.

All jobs of one test name a model of their own, whose far end counts what it was asked; a second tenant's jobs are under
way among them.
"""

import json
from typing import Any

import pytest
from broker.cloud.queues import JobQueue
from broker.jobs.head import Head, job_pk
from broker.jobs.store import Jobs

from local.client import Client
from tests.e2e.stack import Stack, chat, until
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

WELL = Script(OpenAIDialect().says("Fine."))


@pytest.fixture
def other(stack: Stack) -> Client:
    """A tenant that does nothing wrong."""
    return Client(stack.base_url, stack.seeded.other_key)


def submitted(client: Client, model: str) -> str:
    return str(client.submit(chat(model=model)).body["id"])


def head_of(stack: Stack, job_id: str) -> Head:
    return Jobs(stack.database, ()).get(job_id)


def ended(client: Client, job_id: str, *, erase: bool) -> None:
    """Cancel a job and, if wanted, erase it."""
    assert client.call("POST", f"/jobs/{job_id}/cancel").status == 200
    if erase:
        assert client.call("DELETE", f"/jobs/{job_id}").status == 204


def handled(stack: Stack) -> bool:
    """Whether the lane is empty, and nobody holds a message of it."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.cloud.client("sqs").get_queue_attributes(
        QueueUrl=stack.physical("InteractiveQueue"), AttributeNames=names
    )
    return not any(int(found["Attributes"][name]) for name in names)


def lanes(stack: Stack) -> JobQueue:
    return JobQueue(stack.cloud.client("sqs"), {"interactive": stack.physical("InteractiveQueue")})


def kept(stack: Stack, job_id: str) -> list[str]:
    """The names of a job's payloads, in the table or in the bucket."""
    return [str(item["sk"]) for item in stack.database.query("jobs", job_pk(job_id)) if "z" in item or "s3" in item]


def test_messages_whose_jobs_were_canceled_or_erased_since_ask_nobody(
    stack: Stack, other: Client, shaky: ProviderServer
) -> None:
    shaky.answer(WELL)
    with stack.nothing_dispatched():
        gone = [submitted(stack.api, "forgotten") for _ in range(2)]
        theirs = submitted(other, "forgotten")
        for place, job_id in enumerate(gone):
            ended(stack.api, job_id, erase=place % 2 == 0)
    assert other.finished(theirs)["status"] == "succeeded"
    assert until(lambda: handled(stack))
    # What was started before it has come further by the time that one more job has ended.
    assert stack.run(chat(model="forgotten"), other)["status"] == "succeeded"
    assert len(shaky.asked) == 2, "the other tenant's"
    for place, job_id in enumerate(gone):
        job = stack.api.call("GET", f"/jobs/{job_id}").body
        assert (job["status"], job["attempts"], job["erased"]) == ("canceled", [], place % 2 == 0)
        assert kept(stack, job_id) == ([] if job["erased"] else ["BODY"])


def test_messages_that_come_many_times_make_one_call(stack: Stack, other: Client, shaky: ProviderServer) -> None:
    shaky.answer(WELL)
    with stack.nothing_dispatched():
        ids = {submitted(client, "repeated"): client for client in (stack.api, other)}
        for _ in range(3):
            for job_id in ids:
                lanes(stack).send(head_of(stack, job_id))
    jobs = {job_id: client.finished(job_id) for job_id, client in ids.items()}
    assert until(lambda: handled(stack))
    for job_id, job in jobs.items():
        lanes(stack).send(head_of(stack, job_id))
        again = ids[job_id].call("GET", f"/jobs/{job_id}").body
        assert (again["status"], len(again["attempts"]), again["usage"]) == ("succeeded", 1, job["usage"])
    assert until(lambda: handled(stack))
    assert len(shaky.asked) == 2


def test_dead_letters_of_a_job_that_was_erased_bring_nothing_back(
    stack: Stack, other: Client, shaky: ProviderServer
) -> None:
    shaky.answer(WELL)
    sqs = stack.cloud.client("sqs")
    with stack.nothing_dispatched():
        gone, theirs = submitted(stack.api, "replayed"), submitted(other, "replayed")
        heads = {job_id: head_of(stack, job_id) for job_id in (gone, theirs)}
        sqs.purge_queue(QueueUrl=stack.physical("InteractiveQueue"))
        ended(stack.api, gone, erase=True)
        bodies = [json.dumps({"job_id": job_id, "head": head.to_item()}) for job_id, head in heads.items()]
        for body in bodies:
            sqs.send_message(QueueUrl=stack.physical("InteractiveDeadLetters"), MessageBody=body)
        counts: list[int] = []

        def buried() -> bool:
            counts.append(stack.sweep()["dead_letters"])
            return sum(counts) >= len(bodies)

        assert until(buried)
        for body in bodies:  # and as an operator would send them back, who moves them by hand
            sqs.send_message(QueueUrl=stack.physical("InteractiveQueue"), MessageBody=body, MessageGroupId="demo")
    job: dict[str, Any] = other.finished(theirs)
    assert (job["status"], len(job["attempts"])) == ("succeeded", 1)
    assert until(lambda: handled(stack))
    assert stack.run(chat(model="replayed"), other)["status"] == "succeeded"
    assert len(shaky.asked) == 2
    found = stack.api.call("GET", f"/jobs/{gone}").body
    assert (found["status"], found["erased"], found["attempts"], kept(stack, gone)) == ("canceled", True, [], [])


def test_an_answer_that_comes_after_its_job_was_erased_is_paid_for_and_kept_nowhere(stack: Stack) -> None:
    job_id = submitted(stack.api, "slow")
    assert until(lambda: stack.api.call("GET", f"/jobs/{job_id}").body["attempts"])
    ended(stack.api, job_id, erase=True)

    def paid() -> bool:
        return bool(stack.api.call("GET", f"/jobs/{job_id}").body["attempts"][0]["paid"] == "yes")

    assert until(paid)
    assert until(lambda: not kept(stack, job_id)), "dropped right after the commit that pays for it"
    job = stack.api.call("GET", f"/jobs/{job_id}").body
    assert (job["status"], job["erased"], job["output"]) == ("canceled", True, None)
    assert job["usage"]["cost_usd"] > 0
