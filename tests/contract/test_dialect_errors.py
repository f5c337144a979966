"""Every error, with all that may stand beside it, is as published in each form that it is told in."""

import json
from typing import Any

import pytest
from broker.contract.common import TREE
from broker.errors import BrokerError
from broker.rest.http import Reply, Request, error_reply
from broker.rest.representing import represented
from broker.rest.spoken import VERSION, in_dialect
from jsonschema import Draft202012Validator

from tests.contract.openapi_calls import DOCUMENT
from tests.fakes.world import BASE_URL

BUDGET = {
    "limit_usd": 1.0,
    "spent_usd": 0.5,
    "held_usd": 0.0,
    "available_usd": 0.5,
    "worst_cost_usd": 0.7,
    "period_ends_at": "2026-12-01T00:00:00.000Z",
}
LIMIT = {
    "name": "calls_per_second",
    "scope": "tenant",
    "id": "acme",
    "amount": 100,
    "left": 0,
    "asked": 1,
    "free_at": "2026-12-01T00:00:00.000Z",
}


def check(name: str, body: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(json.loads(json.dumps(body)))


def told(kind: type[BrokerError], beside: dict[str, Any]) -> Reply:
    reply = error_reply(kind("A message.", param="input.text"), "r-1")
    return Reply(reply.status, {"error": {**reply.body["error"], **beside}}, reply.headers)


@pytest.mark.parametrize("beside", [{}, {"budget": BUDGET}, {"limit": LIMIT}], ids=["alone", "budget", "limit"])
@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_is_as_published_in_each_form(kind: type[BrokerError], beside: dict[str, Any]) -> None:
    reply = told(kind, beside)
    check("Error", reply.body)
    check("AnthropicError", in_dialect("/messages", {VERSION: "2023-06-01"}, reply).body)
    accepts = {"accept": "application/problem+json"}
    asked = Request("GET", "/jobs", {}, {}, accepts, None, "acme", "me", frozenset("*"), "r-1", BASE_URL)
    problem = represented(reply, asked)
    check("Problem", problem.body)
    assert {name: problem.body[name] for name in beside} == beside
