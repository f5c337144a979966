"""Circuits of the deployed stack: a model that fails is left alone, jobs move or wait, and one call probes it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broker.clock import now_ms

from tests.e2e.stack import Stack, chat, until
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

SHAKY = chat(model="shaky", routing={"fallbacks": ["answers"]})


def phase(stack: Stack, model: str) -> str:
    """Of the model's circuit, as anybody may see it."""
    rows = stack.api.call("GET", "/models").body["data"]
    return str(next(each["circuit"]["state"] for each in rows if each["id"] == model))


def many(stack: Stack, count: int) -> list[dict[str, Any]]:
    """Jobs for the shaky model, eight at a time, each of which has to end well."""
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: stack.run(SHAKY), range(count)))
    assert {job["status"] for job in jobs} == {"succeeded"}
    return jobs


def test_a_model_that_keeps_failing_is_left_alone(stack: Stack) -> None:
    body = chat(model="dying", routing={"fallbacks": ["answers"]})
    ids = [stack.api.submit(body).body["id"] for _ in range(12)]
    jobs = [stack.api.finished(job_id) for job_id in ids]
    assert {job["status"] for job in jobs} == {"succeeded"}

    assert until(lambda: phase(stack, "dying") == "open", 30)
    job = until(lambda: (found := stack.run(body)) and stack.calls_of(found) == ["answers"] and found, 20)
    assert job, "the model is still asked"
    why = next(each["why"] for each in job["route"] if each["model"] == "dying")
    assert "circuit" in why or "passed over" in why, why


def test_a_job_waits_until_the_circuit_of_its_only_model_lets_it_through(stack: Stack) -> None:
    stack.open_circuit("lonely", now_ms() + 600_000)
    short, job_id = (
        stack.api.submit(chat(model="lonely", deadline_seconds=seconds)).body["id"] for seconds in (5, 3600)
    )

    def job() -> dict[str, Any]:
        found: dict[str, Any] = stack.api.call("GET", f"/jobs/{job_id}").body
        return found

    def waiting() -> list[dict[str, Any]]:
        history = stack.api.call("GET", f"/jobs/{job_id}/events").body["data"]
        return [each for each in history if each["event"] == "job.waiting"]

    assert until(waiting), job()
    found = job()
    assert (found["status"], found["error"], found["attempts"]) == ("queued", None, [])
    assert found["started_at"]
    why = next(each["why"] for each in found["route"] if each["model"] == "lonely")
    assert "its circuit is open until" in why
    stack.sweep()
    assert (waiting()[0]["times"], job()["status"]) == (1, "queued"), "its time has not come"

    def expired() -> bool:
        stack.sweep()
        return bool(stack.api.call("GET", f"/jobs/{short}").body["status"] == "expired")

    assert until(expired)
    assert stack.api.call("GET", f"/jobs/{short}").body["error"]["code"] == "circuits_open"

    stack.open_circuit("lonely", now_ms())  # it has cooled
    stack.make_due(job_id)
    stack.sweep()
    answered = stack.api.finished(job_id)
    assert (answered["status"], stack.calls_of(answered)) == ("succeeded", ["lonely"]), answered["error"]

    assert until(lambda: phase(stack, "lonely") == "closed", 30), "its call was the probe"


def test_an_outage_of_hundreds_of_jobs(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(Script({"error": {"message": "out of order"}}, 500))
    many(stack, 30)
    assert until(lambda: phase(stack, "shaky") == "open", 30), "half of ten or more calls failed"
    assert until(lambda: stack.calls_of(stack.run(SHAKY)) == ["answers"], 30), "each process learns of it in seconds"
    hit = len(shaky.asked)
    stack.open_circuit("shaky", now_ms() + 600_000)
    moved = many(stack, 200)
    late = len(shaky.asked) - hit
    print(f"{hit} calls before the circuit was known to be open, {late} of 200 jobs after it")
    assert late <= 10, "only what was asked by processes that had not looked yet"
    assert sum(stack.calls_of(job) == ["answers"] for job in moved) >= 190
    why = next(each["why"] for each in moved[-1]["route"] if each["model"] == "shaky")
    assert "its circuit is open until" in why

    shaky.answer(Script(how="hang"))  # still not well: the probe takes its three seconds
    stack.open_circuit("shaky", now_ms())
    many(stack, 30)
    assert len(shaky.asked) == 1, "one call probes, and all others go by"
    assert until(lambda: phase(stack, "shaky") == "open", 30), "the probe failed"

    shaky.answer(Script(OpenAIDialect().says("Well again.")))
    stack.open_circuit("shaky", now_ms())
    assert until(lambda: stack.run(SHAKY)["model"] == "shaky", 30)
    assert until(lambda: phase(stack, "shaky") == "closed", 30)
    assert until(lambda: {job["model"] for job in many(stack, 8)} == {"shaky"}, 30), "the traffic is back"
