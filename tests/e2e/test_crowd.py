"""Four hundred models with the longest of names, none of which can do the work: what is kept and told stays small."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.clock import now_ms
from broker.errors import LONGEST_MESSAGE
from broker.jobs.head import job_pk
from broker.routing.board import PK as HEALTH
from broker.routing.board import own
from broker.routing.selection import MOST

from local.client import Client
from tests.e2e.stack import Stack, until

NAMES = [f"crowd-{number:03}-{'x' * 118}" for number in range(400)]
CROWD = "crowd"
"""An alias of them all."""

MOST_OF_A_HEAD = 4096
MOST_OF_A_STEP = 32_768 // 8
"""Bytes; Step Functions takes no cause above 32,768 characters."""

TENANTS = ("demo", "other")


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> Iterator[dict[str, Client]]:
    """Registers them, half of which reject what they are asked and half of which are gone; gives two tenants."""
    common = {
        "provider": "openai",
        "endpoint": f"{stack.models_url}/v1",
        "tasks": ["chat"],
        "context_window": 100_000,
        "max_output_tokens": 1_000,
        "price_in_usd": 1,
        "price_out_usd": 1,
        "by_name_only": True,
    }
    orders = ("400", "404")
    models = [common | {"id": id, "name": f"small!{orders[place % 2]}"} for place, id in enumerate(NAMES)]
    stack.register({"models": models, "aliases": [{"id": CROWD, "models": NAMES}]})
    yield dict(zip(TENANTS, (stack.api, Client(stack.base_url, stack.seeded.other_key)), strict=True))
    stack.drop("registry", [("MODELS", f"ALIAS#{CROWD}"), *(("MODELS", name) for name in NAMES)])
    stack.drop("ledger", [(HEALTH, own(name, tenant)) for name in NAMES[:MOST] for tenant in TENANTS])
    stack.drop("ledger", [(HEALTH, name) for name in NAMES])


def submitted(client: Client, **more: Any) -> str:
    """A job whose run keeps its history; a process of the API may learn of the models half a minute later."""
    body = {"input": {"text": "Hello"}, "model": CROWD, "timeout_seconds": 600, **more}
    answer = until(lambda: (found := client.submit(body)).status == 202 and found)
    assert answer, client.submit(body).body
    return str(answer.body["id"])


def head_bytes(stack: Stack, job_id: str) -> int:
    """Bytes of a head as JSON with its types, which is more than DynamoDB counts."""
    key = {"pk": {"S": job_pk(job_id)}, "sk": {"S": "HEAD"}}
    item = stack.cloud.client("dynamodb").get_item(TableName=stack.outputs["JobsTable"], Key=key)["Item"]
    return len(json.dumps(item, default=str).encode())


def told_by_steps(stack: Stack, job_id: str) -> list[str]:
    """All that went through the workflow of a job's first run, event by event."""
    return [json.dumps(event, default=str) for event in stack.history(job_id)]


def test_a_job_that_none_of_them_takes_ends_with_a_small_head(stack: Stack, crowd: dict[str, Client]) -> None:
    ids = {tenant: submitted(client) for tenant, client in crowd.items()}
    for tenant, client in crowd.items():
        job = client.finished(ids[tenant])
        assert (job["status"], job["error"]["type"]) == ("failed", "model_gone"), job["error"]
        assert [each["outcome"] for each in job["attempts"]] == ["Rejected", "ModelGone"] * (MOST // 2)
        assert len(job["route"]) > len(NAMES), "each has its reason, beside the head"
        assert head_bytes(stack, job["id"]) < MOST_OF_A_HEAD
        told = told_by_steps(stack, job["id"])
        assert any("model_gone" in each for each in told)
        assert max(map(len, told)) < MOST_OF_A_STEP


def test_what_all_their_circuits_keep_back_is_told_in_few_words(stack: Stack, crowd: dict[str, Client]) -> None:
    stack.open_circuits(NAMES, now_ms() + 600_000)
    ids = {tenant: submitted(client, deadline_seconds=10) for tenant, client in crowd.items()}

    def expired() -> bool:
        stack.sweep()
        jobs = [crowd[tenant].call("GET", f"/jobs/{job_id}").body for tenant, job_id in ids.items()]
        return all(job["status"] == "expired" for job in jobs)

    assert until(expired)
    for tenant, client in crowd.items():
        assert client.call("GET", f"/jobs/{ids[tenant]}").body["error"]["code"] == "circuits_open"
        assert head_bytes(stack, ids[tenant]) < MOST_OF_A_HEAD
        told = told_by_steps(stack, ids[tenant])
        assert any(NAMES[0] in each and "models more" in each for each in told)
        assert max(map(len, told)) < MOST_OF_A_STEP


def test_what_none_of_them_meets_is_refused_in_few_words(crowd: dict[str, Client]) -> None:
    for client in crowd.values():
        body = {"input": {"text": "Hello"}, "model": CROWD, "routing": {"regions": ["eu"]}}
        answer = until(lambda client=client, body=body: _refused(client, body))
        assert (answer["type"], answer["param"]) == ("invalid_request", "model")
        assert NAMES[0] in answer["message"] and "models more" in answer["message"]
        assert len(answer["message"]) <= LONGEST_MESSAGE


def _refused(client: Client, body: dict[str, Any]) -> dict[str, Any] | None:
    """The error, once the process knows of the models."""
    error: dict[str, Any] = client.submit(body).body["error"]
    return error if error["code"] == "no_candidate" else None
