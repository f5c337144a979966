"""The routes of prompts, conversations and models."""

import json
from typing import Any

import pytest
from broker.clock import iso, now_ms
from broker.context.conversations import Turn
from broker.jobs.head import Status
from broker.rest.http import Reply
from broker.routing.circuits import State
from broker.routing.figures import Figures

from tests.fakes.world import JOB_ID, NOW, a_head, a_model
from tests.unit.rest_door import BODY, Door


def test_a_prompt_is_an_endpoint() -> None:
    door = Door()
    door.world.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{name}} kindly."})
    run = {"variables": {"name": "Ann"}, "metadata": {"order": "17"}, "priority": "bulk"}
    reply = door("POST", "/prompts/{id}/run", json.dumps(run), job_id="greet", idempotency_key="one")
    again = door("POST", "/prompts/{id}/run", json.dumps(run), job_id="greet", idempotency_key="one")
    assert (reply.status, reply.body["metadata"], again.body["id"]) == (202, {"order": "17"}, reply.body["id"])
    assert door.world.jobs.get(reply.body["id"]).lane == "bulk"
    assert "Ann" in door.world.prompt(reply.body["id"])["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt.variables.name"),
        ({"variables": {"name": "Ann", "nmae": "x"}}, "prompt.variables.nmae"),
        ({"variables": ["Ann"]}, "prompt.variables"),
        ({"variables": {"name": "Ann"}, "version": 0}, "prompt.version"),
        ({"variables": {"name": "Ann"}, "colour": "blue"}, "colour"),
        ({"variables": {"name": "Ann"}, "prompt": {"id": "other"}}, "prompt"),
        ({"variables": {"name": "Ann"}, "task": "embed"}, "task"),
        ([], None),
    ],
)
def test_a_run_of_a_prompt_names_the_field_at_fault(body: Any, param: str | None) -> None:
    door = Door()
    door.world.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{name}} kindly."})
    error = door.fails("POST", "/prompts/{id}/run", json.dumps(body), job_id="greet")
    assert (error.status, error.param) == (400, param)


def test_a_conversation_is_shown_to_its_tenant_and_erased_by_it() -> None:
    door = Door()
    turn = Turn(JOB_ID, NOW, 3, [{"role": "user", "content": "Hi"}])
    door.turns.keep("acme", "c1", turn, now_ms() // 1000 + 60)
    shown = door("GET", "/conversations/{id}/turns", job_id="c1").body
    assert (shown["id"], shown["data"][0]["messages"], shown["next_cursor"]) == ("c1", turn.messages, None)
    assert door("GET", "/conversations/{id}/turns", job_id="c1", query={"cursor": ""}).body == shown
    assert door.fails("GET", "/conversations/{id}/turns", job_id="c1", tenant="other").status == 404
    assert door("DELETE", "/conversations/{id}/turns", job_id="c1", tenant="other") == Reply(204, None)
    assert door("GET", "/conversations/{id}/turns", job_id="c1").status == 200
    for _ in range(2):
        assert door("DELETE", "/conversations/{id}/turns", job_id="c1") == Reply(204, None)
        assert door.fails("GET", "/conversations/{id}/turns", job_id="c1").code == "no_conversation"
    assert door.fails("GET", "/conversations/{id}/turns", job_id="c1", query={"limit": "0"}).param == "limit"


def test_a_job_that_is_erased_leaves_its_conversation() -> None:
    door = Door()
    door.world.put(a_head(status=Status.SUCCEEDED, conversation="c1"))
    for number, job_id in enumerate((JOB_ID, "job_other")):
        turn = Turn(job_id, NOW + number, 3, [{"role": "user", "content": f"Hi {number}"}])
        door.turns.keep("acme", "c1", turn, now_ms() // 1000 + 60)
    for _ in range(2):
        assert door("DELETE", "/jobs/{id}") == Reply(204, None)
    rows = door("GET", "/conversations/{id}/turns", job_id="c1").body["data"]
    assert [row["job_id"] for row in rows] == ["job_other"]


def test_models_are_the_tenants_own() -> None:
    door = Door()
    assert [row["id"] for row in door("GET", "/models").body["data"]] == ["large", "small"]
    (row,) = door("GET", "/models", tenant="other").body["data"]
    assert (row["id"], row["status"]) == ("large", "disabled")
    assert not {"endpoint", "secret", "price_in", "name", "options"} & row.keys()


def test_models_show_their_prices_circuit_and_live_figures() -> None:
    door = Door()
    priced = {"price_in": 150, "price_out": 600, "unit_prices": {"images": 40_000_000}, "prices_as_of": "2026-11-01"}
    door.world.register(a_model("small", **priced, quality=4, capabilities=["tools", "json"]))
    door.health.known["small"] = State("open", NOW)
    door.health.live["small"] = Figures(NOW, 200, 3, 640, 1_200)
    large, small = door("GET", "/models").body["data"]
    assert small["prices"] == {
        "input_usd_per_million": 0.15,
        "output_usd_per_million": 0.6,
        "cached_input_usd_per_million": None,
        "cache_write_usd_per_million": None,
        "cache_write_1h_usd_per_million": None,
        "units_usd": {"images": 0.04},
        "as_of": "2026-11-01",
    }
    assert small["circuit"] == {"state": "open", "until": iso(NOW)}
    assert small["live"] == {
        "at": iso(NOW),
        "error_rate": 0.015,
        "mean_latency_ms": 640,
        "p95_latency_ms": 1_200,
    }
    assert (small["quality"], small["capabilities"]) == (4, ["json", "tools"])
    assert (large["circuit"], large["live"]) == ({"state": "closed", "until": None}, None)


def test_an_estimate_runs_nothing() -> None:
    door = Door()
    reply = door("POST", "/estimates", BODY)
    assert (reply.status, [each["model"] for each in reply.body["candidates"]]) == (200, ["small"])
    assert door.world.queue.sent == []
    assert door("GET", "/jobs").body["data"] == []
    assert door.fails("POST", "/estimates", '{"colour": "blue"}').param == "colour"
