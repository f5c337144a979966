"""Routing that explains itself, estimates, windows and conversations, on the deployed stack."""

import uuid
from typing import Any

import pytest
import urllib3

from local.servers import Servers
from tests.e2e.conftest import FOLDER
from tests.e2e.stack import Stack, chat

ROWS = [
    ("summarize", "haiku", "bedrock"),
    ("creative", "gpt", "openai"),
    ("technical", "local-technical", "sagemaker"),
    (None, "sonnet", "anthropic"),
]
"""The kind of work, the stand-in that does it, and the wire format that it speaks."""


@pytest.mark.parametrize(("query_type", "model", "provider"), ROWS)
def test_the_kind_of_work_chooses_the_model(stack: Stack, query_type: str | None, model: str, provider: str) -> None:
    routing = {"routing": {"query_type": query_type}} if query_type else {}
    job = stack.run(chat(**routing))
    assert (job["status"], job["model"]) == ("succeeded", model), job["error"]
    registered = {each["id"]: each for each in stack.api.call("GET", "/models").body["data"]}
    assert registered[model]["owned_by"] == provider
    reasons = {each["model"]: each["why"] for each in job["route"]}
    barred = "creative"  # a permission keeps it from this tenant, so its list of models has it not
    assert set(reasons) == {*registered, barred}, "every model is told of"
    assert "route" in reasons[model]


def test_the_endpoint_of_a_route_falls_back(stack: Stack) -> None:
    services = Servers(FOLDER, print).running()["services"].url
    replies = [{"Body": "no JSON", "ContentType": "application/json"}] * 2
    broken = {"region": "us-east-1", "results": replies}
    urllib3.request("POST", f"{services}/moto-api/static/sagemaker/endpoint-results", json=broken)
    job = stack.run(chat(f"Summarize: {uuid.uuid4()}.", routing={"query_type": "technical"}))
    assert job["status"] == "succeeded"
    asked = [(each["model"], each["outcome"]) for each in job["attempts"]]
    assert asked == [("local-technical", "BadOutput")] * 2 + [("sonnet", "succeeded")], "once more, then the next"


def test_an_alias_is_a_list_of_models(stack: Stack) -> None:
    assert stack.run(chat(model="local-fast"))["model"] == "haiku"


def test_an_estimate_says_what_a_job_would_do_and_holds_nothing(stack: Stack) -> None:
    body = chat(model="answers", routing={"fallbacks": ["fails"]})
    reply = stack.api.call("POST", "/estimates", body)
    assert reply.status == 200, reply.body
    assert [each["model"] for each in reply.body["candidates"]] == ["answers", "fails"]
    first = reply.body["candidates"][0]
    assert 0 < first["expected_cost_usd"] <= first["worst_cost_usd"]
    job = stack.run(body)
    assert job["usage"]["cost_usd"] <= first["worst_cost_usd"]


def test_a_conversation_goes_on(stack: Stack) -> None:
    name = f"talk-{uuid.uuid4().hex[:8]}"
    first = stack.run(chat("Summarize: Ann kept the lamp. She slept by day.", conversation_id=name))
    assert first["status"] == "succeeded"
    second = stack.run(chat("And then?", conversation_id=name))
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"], "the earlier turn came in"
    turns = stack.api.call("GET", f"/conversations/{name}/turns").body["data"]
    assert [turn["job_id"] for turn in turns] == [second["id"], first["id"]]
    assert stack.as_tenant("other").call("GET", f"/conversations/{name}/turns").status == 404
    assert stack.api.call("DELETE", f"/jobs/{second['id']}").status == 204
    left = stack.api.call("GET", f"/conversations/{name}/turns").body["data"]
    assert [turn["job_id"] for turn in left] == [first["id"]], "the turn went with its job"
    again = stack.run(chat("And then?", conversation_id=name))
    assert again["usage"]["input_tokens"] == second["usage"]["input_tokens"], "only the first turn came in"
    assert stack.api.call("DELETE", f"/conversations/{name}/turns").status == 204
    assert stack.api.call("GET", f"/conversations/{name}/turns").status == 404


def test_a_summary_is_paid_for_once_and_goes_with_its_turns(stack: Stack) -> None:
    name = f"talk-{uuid.uuid4().hex[:8]}"
    filler = "The keeper wrote down what the lamp had done in the night. " * 1_100

    def say(text: str) -> dict[str, Any]:
        more = {"conversation_id": name, "context": {"strategy": "summarize"}, "model": "small-window"}
        job = stack.run(chat(text, **more))
        assert job["status"] == "succeeded", job["error"]
        return job

    jobs = [say(f"Summarize: {number} {filler}") for number in range(3)]
    assert [len(job["attempts"]) for job in jobs] == [1, 1, 2], "the third turn has no room"
    assert jobs[2]["context"]["summary"] == "made"
    after = say("And then?")
    assert (after["context"]["strategy"], after["context"]["summary"]) == ("summarize", "kept")
    assert [each["operation"] for each in after["attempts"]] == ["answer"]
    assert after["usage"]["cost_usd"] == after["attempts"][0]["cost_usd"]
    assert after["context"]["tokens_after"] < after["context"]["tokens_before"]
    assert stack.api.call("DELETE", f"/jobs/{jobs[0]['id']}").status == 204
    again = say("And then?")
    assert (again["context"] or {}).get("summary") != "kept", "the summary was of what was erased"


def test_a_conversation_that_is_too_long_is_shortened(stack: Stack) -> None:
    filler = "The keeper wrote down what the lamp had done in the night. " * 400
    talk: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    for number in range(4):
        talk += [{"role": "user", "content": f"{number} {filler}"}, {"role": "assistant", "content": filler}]
    talk.append({"role": "user", "content": "Summarize: The lamp needed nobody. The keeper slept."})
    for strategy, calls in (("truncate_oldest", 1), ("truncate_middle", 1), ("summarize", 2)):
        body = {"input": {"messages": talk}, "model": "small-window", "context": {"strategy": strategy}}
        job = stack.run(body | {"parameters": {"max_output_tokens": 50}})
        assert job["status"] == "succeeded", job["error"]
        assert (job["context"]["strategy"], len(job["attempts"])) == (strategy, calls)
        assert job["context"]["tokens_after"] < 50_000 < job["context"]["tokens_before"]
    refused = stack.api.submit({"input": {"messages": talk}, "model": "small-window"})
    assert (refused.status, refused.body["error"]["code"]) == (400, "no_candidate"), "the usual strategy is an error"
    assert "do not fit its window of 50000" in refused.body["error"]["message"]
