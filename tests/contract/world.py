"""Jobs in every state, made by the broker's own code on the fakes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from broker.audit.appending import Append
from broker.audit.reading import Trail
from broker.audit.record import record as audit_record
from broker.cache.answers import NOTE, Answers, Given, Hit
from broker.clock import now_ms
from broker.delivery.delivering import Deliver
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.sending import Sent
from broker.delivery.starting import StartDelivery
from broker.endpoints.registered import RegisteredEndpoints
from broker.endpoints.telling import Listeners, TellEndpoints
from broker.errors import Rejected
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import of_tenant
from broker.guardrails.walk import input_texts
from broker.jobs.accepting import Accept, Caller
from broker.jobs.call_transitions import end_call, late_calls, start_call
from broker.jobs.calls import lost
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile
from broker.jobs.request import parse_request
from broker.jobs.reviewing import hold_for_review
from broker.jobs.store import Jobs
from broker.jobs.transitions import Fence, Outcome, cancel, claim, finish, wait
from broker.prompts import experiments
from broker.prompts.listing import Listing
from broker.prompts.templates import Prompts
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.versions import Registry
from broker.rest.admin import ADMIN_ROUTES, Admin
from broker.rest.api import Api
from broker.rest.http import Reply, Request
from broker.reviews import record
from broker.reviews.record import opened
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.catalog import Models
from broker.routing.question import Question
from broker.routing.selection import select
from broker.steps.estimating import EstimateJob
from broker.steps.preparing import Prepare
from broker.steps.trying import TryPolicies
from broker.storage import Put
from broker.tenants import ledger, usage
from broker.tenants.budgets import Budgets
from broker.tenants.limiting import standings
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants
from broker.tenants.usage import Usage

from tests.fakes.audit import FakeBlocks
from tests.fakes.batch_door import BatchWorld
from tests.fakes.bus import FakeBus
from tests.fakes.conversations import FakeTurns
from tests.fakes.database import FakeDatabase
from tests.fakes.endpoints import FakeSeal, an_endpoint_door, endpoints_of
from tests.fakes.file_bucket import FakeFileBucket, a_file_door
from tests.fakes.payloads import FakePayloads
from tests.fakes.queue import FakeDeliveries, FakeQueue
from tests.fakes.reviews import reviews_of
from tests.fakes.shelf import FakeShelf
from tests.fakes.texts import FakeTexts
from tests.fakes.world import BASE_URL
from tests.fakes.world import World as FakeWorld

NOW = 1_762_000_000_000
ERROR = {"type": "unavailable", "code": "runs_exhausted", "message": "The job was started 3 times."}
TASKS = {
    "vectors": "embed",
    "judge": "moderate",
    "painter": "generate_image",
    "speaker": "speak",
    "writer": "transcribe",
}
"""Of models that do not chat."""
REGISTRY = {
    "models": [
        {
            "id": name,
            "provider": "openai",
            "name": name,
            "tasks": [TASKS.get(name, "chat")],
            "context_window": 8000,
            "max_output_tokens": 500,
            "price_in_usd": 0.15,
            "price_out_usd": 0.6,
            "status": "disabled" if name == "off" else "active",
        }
        for name in ("large", "small", "off", *TASKS)
    ],
    "tenants": [
        {"id": "acme", "monthly_budget_usd": 1.0, "usage_by": ["task"]},
        {"id": "poor", "monthly_budget_usd": 0.0},
    ],
    "prompts": [{"id": "shorten", "version": 1, "user": "Shorten: {{document}}"}],
}
ASK = {"input": {"text": "Hello"}, "webhook": {"url": "https://example.com/hook"}, "metadata": {"order": "17"}}


class World:
    """The broker without a cloud."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.jobs = Jobs(self.database, (ledger.bookings, usage.countings, experiments.endings, record.closings))
        self.payloads = FakePayloads()
        self.bucket = FakeFileBucket()
        self.audit = FakeBlocks()
        read = audit_record(
            "payload.read", "r-0.0", NOW, tenant="acme", by="ann", subject="job_1", route="GET /jobs/{id}"
        )
        Append(self.database, self.audit, "acme", lambda number: None)([read], NOW)
        self.models, tenants = Models(self.database), Tenants(self.database)
        self.texts = FakeTexts()
        self.registry = Registry(self.database, self.texts)
        apply(self.registry, parse_registry(REGISTRY), by="tests", now=NOW)
        self.turns = FakeTurns()
        prompts, policies = Prompts(self.database, self.texts), Policies(self.database)
        budgets = Budgets(self.database)
        known = self.database, self.models, tenants, prompts, self.turns, policies, "inbox", budgets
        prepare = Prepare(*known, self.jobs, self.payloads)
        self.accept = Accept(
            *(self.database, budgets, self.jobs, self.payloads, FakeQueue(), prepare),
            *(lambda url: None, lambda head, error: None),
        )
        self.batches = BatchWorld(FakeWorld(self.database, texts=self.texts))
        self.reply: Sent = Sent(200, None, None, 12)
        seal = FakeSeal()
        kept = endpoints_of(self.database, seal)
        start = StartDelivery(self.database, FakeDeliveries())
        registered = RegisteredEndpoints(self.database, kept, start, seal.open, lambda kind, detail: None)
        self.tell_endpoints = TellEndpoints(Listeners(self.database), StartDelivery(self.database, FakeDeliveries()))
        self.deliver = Deliver(
            *(self.database, self.jobs, FakeDeliveries(), lambda *_, **__: self.reply, lambda note, sent: None),
            registered=registered,
        )
        self.publish = Publish(
            *(self.database, self.jobs, FakeBus(), FakeDeliveries(), BASE_URL, lambda head: None),
            tell_endpoints=self.tell_endpoints.of_job,
        )
        forget = Answers(self.database, FakeShelf(self.database)).forget
        self.circuits = Breakers(self.database, Board(self.database), chance=lambda: 0.0)
        estimate = EstimateJob(prepare, self.circuits, lambda url: None)
        redeliver = self.deliver.redeliver
        self.api = Api(
            self.accept,
            self.jobs,
            self.payloads,
            self.models,
            tenants,
            redeliver,
            forget,
            self.turns,
            self.circuits,
            estimate,
            TryPolicies(tenants, Policies(self.database)),
            Listing(self.database, prompts),
            lambda: a_file_door(self.database, self.bucket),
            lambda: self.batches.door(),
            lambda: self.batches.bulk(),
            lambda: an_endpoint_door(self.database, FakeDeliveries(), self.deliver.again, self._attempt_tests),
            lambda: Usage(self.database),
            standings=partial(standings, self.database),
            places=lambda limits: [each.standing(self.database) for each in limits],
        )

    def _attempt_tests(self) -> None:
        for note in self.database.items():
            if note.get("test") and note["state"] == "pending":
                self.deliver(note["endpoint"], note["sk"].removeprefix("NOTE#"), NOW, BASE_URL)

    def call(self, method: str, resource: str, **more: Any) -> Reply:
        """One call of the API, as `acme` with all scopes; of the operators' routes, signed by `me`."""
        facts: dict[str, Any] = {"path": {}, "query": {}, "headers": {}, "body": None, "tenant": "acme"} | more
        request_id = facts.pop("request_id", "r-1")
        scopes = facts.pop("scopes", frozenset("*"))
        trail = Trail(self.database, self.audit)
        operators = Admin(self.database, self.registry, reviews_of(self, FakeQueue()), trail=lambda: trail)
        door = operators if (method, resource) in ADMIN_ROUTES else self.api
        return door(
            Request(method, resource, principal="me", scopes=scopes, request_id=request_id, base_url=BASE_URL, **facts)
        )

    def submitted(self) -> Head:
        """A queued job with a webhook and metadata."""
        return self.accept(parse_request(ASK), Caller("acme", "me", "rest", "r-1"), NOW).head

    def running(self) -> Head:
        """A job with a settled call, one that failed, and one under way."""
        head = self._write(claim(self.submitted(), now=NOW + 10, lease_ms=90_000, by="m-1"))
        fence = Fence(head.run, "execution")
        question = Question({"task": "chat", "model": "auto"}, lambda model: 10, NOW)
        route = select(question, self.models.catalog(NOW)).route
        self.jobs.note(head, f"ROUTE#{head.run}", {"route": route})
        texts = input_texts({"input": {"text": "card 4111 1111 1111 1111"}})
        findings = inspect("input", texts, of_tenant({"block_card_numbers": False})).findings
        self.jobs.note(head, f"GUARD#{head.run}#input", {"findings": [each.to_item() for each in findings]})
        refused = Rejected("The provider does not take it.", code="http_400", param="parameters.seed").facts()
        for outcome, error, paid, cost in (("Rejected", refused, "no", 0), ("succeeded", None, "yes", 42_000)):
            head, key = start_call(head, fence, model="large", reserve=50_000, now=NOW + 20, lease_ms=60_000)
            facts = {"outcome": outcome, "error": error, "latency_ms": 800, "paid": paid, "cost": cost}
            head = end_call(head, fence, key, facts | {"ended_at": NOW + 900})
        head, _ = start_call(head, fence, model="small", reserve=10_000, now=NOW + 1000, lease_ms=60_000)
        return self._write(head)

    def waiting(self) -> Head:
        """A job that circuits keep waiting."""
        head = self._write(claim(self.submitted(), now=NOW + 10, lease_ms=90_000, by="m-1"))
        fence = Fence(head.run, "execution")
        return self._write(wait(head, fence, until=NOW + 60_000, now=NOW + 20, chance=0.5))

    def held(self) -> Head:
        """A job whose answer is held for a review, and claimed by somebody."""
        before = self.running()
        answer = {"output": "OUTPUT#1.3", "facts": {"model": "small"}}
        facts = {"stage": "output", "rules": ["denied_terms"], "message": "The answer contains something."}
        self.payloads.save(before, "OUTPUT#1.3", {"text": "Hello to you"}, lost(before.calls["1.3"], NOW))
        fence = Fence(before.run, "execution")
        after = hold_for_review(before, fence, stage="output", rules=["denied_terms"], answer=answer, now=NOW + 2000)
        self.database.write(opened(after, facts, NOW + 2000))
        # These jobs are of another day; what is asked of this one is asked today.
        return self._write(replace(after, deadline_at=now_ms() + 3_600_000, due_at=now_ms() + 3_600_000))

    def ended(self, status: Status, failure: dict[str, str] = ERROR) -> Head:
        """A job that ended so, told to its webhook."""
        before = self.running()
        fence = Fence(before.run, "execution")
        match status:
            case Status.SUCCEEDED:
                self.payloads.save(before, "OUTPUT#1.2", {"text": "Hello to you"})
                usage = {"input_tokens": 9, "output_tokens": 4}
                outcome = Outcome(status, model="large", output="OUTPUT#1.2", usage=usage)
                after = finish(before, outcome, now=NOW + 2000, fence=fence)
            case Status.CANCELED:
                after = cancel(before, now=NOW + 2000)
            case Status.EXPIRED:
                after = reconcile(before, now=before.deadline_at)
            case _:
                error = {"type": "blocked", "code": "blocked_input", "message": "Blocked.", "source": "policy"}
                outcome = Outcome(status, error=error if status is Status.BLOCKED else failure)
                after = finish(before, outcome, now=NOW + 2000, fence=fence)
        self._write(after)
        self.publish([HeadChange("1", before, after)], NOW + 2100)
        self.deliver(after.id, f"DELIVERY#job.{status.value}", NOW + 2200, BASE_URL)
        return after

    def reckoned(self) -> Head:
        """An ended job whose open call was booked at its worst."""
        head = self.ended(Status.SUCCEEDED)
        return self._write(late_calls(head, {key: lost(head.calls[key], NOW + 9000) for key in head.open_calls}))

    def _write(self, head: Head) -> Head:
        self.database.write(Put("jobs", head.to_item()))
        return head


def every_job() -> Iterator[tuple[str, World, Head]]:
    """A job of each kind, with its name and the world that it lives in."""
    world = World()
    yield "queued", world, world.submitted()
    world = World()
    yield "running", world, world.running()
    world = World()
    yield "waiting", world, world.waiting()
    for decision in (None, "release", "reject"):
        world = World()
        head = world.held()
        if decision:
            body = json.dumps({"stage": "output", "reason": "I looked."})
            world.call("POST", f"/admin/reviews/{{job_id}}/{decision}", path={"job_id": head.id}, body=body)
        yield f"held, {decision or 'waiting'}", world, world.jobs.get(head.id)
    for status in Status:
        if status.terminal:
            world = World()
            yield status.value, world, world.ended(status)
    replies = {"disabled": Sent(410, None, None, 5), "pending": Sent(None, "webhook_timeout", None, 5_000)}
    for state, reply in replies.items():
        world = World()
        world.reply = reply
        yield f"failed, delivery {state}", world, world.ended(Status.FAILED)
    world = World()
    yield (
        "failed, a field named",
        world,
        world.ended(Status.FAILED, ERROR | {"type": "rejected", "param": "input.size"}),
    )
    given = Given("large", {"text": "Hello to you"}, {"input_tokens": 9, "output_tokens": 4}, 42_000)
    hits = {"exact": Hit(given, "exact", 61_000), "similar": Hit(given, "semantic", 61_000, 0.9312)}
    for kind, hit in hits.items():
        world = World()
        head = world.ended(Status.SUCCEEDED)
        world.jobs.note(head, NOTE, hit.note())
        yield f"succeeded, {kind} answer kept before", world, head
    world = World()
    head = world.running()
    world.jobs.note(head, NOTE, {"hit": False})
    yield "running, nothing kept before", world, head
    for summary in ("made", "kept", None):
        world = World()
        head = world.ended(Status.SUCCEEDED)
        tokens = {"tokens_before": 9_000, "tokens_after": 4_000}
        done = {"strategy": "summarize", "dropped_turns": 6, "model": "large", **tokens}
        world.jobs.note(head, f"CONTEXT#{head.run}", done | ({"summary": summary} if summary else {}))
        yield f"succeeded, window with {summary or 'no'} summary", world, head
    world = World()
    yield "succeeded, call reckoned", world, world.reckoned()
    world = World()
    head = world.ended(Status.SUCCEEDED)
    world.call("DELETE", "/jobs/{id}", path={"id": head.id})
    yield "succeeded, erased", world, head
