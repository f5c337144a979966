"""What an estimate does not look at: budgets beside the tenant's own."""

from broker.jobs.accepting import Caller
from broker.jobs.request import parse_request
from broker.steps.estimating import EstimateJob

from tests.fakes.circuits import FakeCircuits
from tests.fakes.world import CHAT, NOW
from tests.unit.test_budget_rules import a_world, refused


def test_an_estimate_tells_what_a_job_costs_that_a_budget_would_refuse() -> None:
    world = a_world({"id": "none", "usd": 0})
    refused(world)
    estimate = EstimateJob(world.preparing(), FakeCircuits(), lambda url: None)
    told = estimate(parse_request({"model": "small", **CHAT}), Caller("acme", "ci", "rest", "r-1"), NOW)
    assert [each["model"] for each in told["candidates"]] == ["small"]
