"""A broker in memory: the use cases on the fakes, and the few things that most tests begin with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from broker.cloud.workflows import facts_of
from broker.jobs.accepting import Accept, Acceptance, Caller
from broker.jobs.dispatching import dispatch
from broker.jobs.head import Head, Status, record_until
from broker.jobs.request import parse_request
from broker.jobs.store import Jobs
from broker.prompts import experiments
from broker.prompts.templates import Prompts
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.versions import Registry
from broker.reviews import record
from broker.routing.catalog import Models
from broker.steps.context import Run, original
from broker.steps.preparing import Prepare
from broker.storage import Item, Put
from broker.tenants import ledger, usage
from broker.tenants.budgets import Budgets
from broker.tenants.ledger import period_of
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

from tests.fakes.conversations import FakeTurns
from tests.fakes.database import FakeDatabase
from tests.fakes.payloads import FakePayloads
from tests.fakes.queue import FakeQueue, FakeWorkflows
from tests.fakes.texts import FakeTexts

NOW = 1_795_000_000_000
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
JOB_ID = "job_0193a000000070008000000000000001"

INBOX = "inbox"

BASE_URL = "https://api.example.com/v1"
"""Of the REST API."""

CHAT = {"input": {"messages": [{"role": "user", "content": "How are you?"}]}}


def a_head(**changes: Any) -> Head:
    """A queued job's head."""
    known: dict[str, Any] = {
        "id": JOB_ID,
        "tenant": "acme",
        "principal": "key:1",
        "door": "rest",
        "task": "chat",
        "status": Status.QUEUED,
        "lane": "interactive",
        "created_at": NOW,
        "deadline_at": NOW + HOUR,
        "due_at": NOW + MINUTE,
        "payloads_until": (NOW + 24 * HOUR) // SECOND,
        "expires_at": record_until((NOW + 24 * HOUR) // SECOND, NOW + HOUR),
        "timeout_s": 120,
        "correlation_id": "corr-1",
    }
    return Head(**{**known, **changes})


def a_model(model_id: str, **changes: Any) -> Item:
    """A model as the registry keeps it: a nano-dollar for each token in, two for each out."""
    known: dict[str, Any] = {
        "pk": "MODELS",
        "sk": model_id,
        "provider": "fake",
        "name": f"{model_id}-1",
        "tasks": ["chat"],
        "context_window": 100_000,
        "max_output_tokens": 1_000,
        "price_in": 1,
        "price_out": 2,
    }
    return {**known, **changes}


@dataclass(slots=True)
class World:
    """One deployment."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    payloads: FakePayloads = field(default_factory=FakePayloads)
    texts: FakeTexts = field(default_factory=FakeTexts)
    queue: FakeQueue = field(default_factory=FakeQueue)
    workflows: FakeWorkflows = field(default_factory=FakeWorkflows)
    lost: list[str] = field(default_factory=list)
    check_webhook: Callable[[str], None] = lambda url: None
    quiet_doors: tuple[str, ...] = ()
    jobs: Jobs = field(init=False)
    turns: FakeTurns = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.database, (ledger.bookings, usage.countings, experiments.endings, record.closings))
        self.turns = FakeTurns(self.database)

    def register(self, *items: Item) -> None:
        """Put items into the registry."""
        for item in items:
            self.database.write(Put("registry", item))

    def tenant(self, tenant_id: str = "acme", **settings: Any) -> None:
        """Register a tenant."""
        self.register({"pk": f"TENANT#{tenant_id}", "sk": "TENANT", **settings})

    def policy(self, policy_id: str, **facts: Any) -> None:
        """Register a guardrail policy, or its next version, as operators do."""
        document = parse_registry({"guardrails": [{"id": policy_id, **facts}]})
        apply(self.registry(), document, by="tests", now=NOW)

    def models(self) -> Models:
        """The registry as a fresh process reads it."""
        return Models(self.database)

    def prompts(self) -> Prompts:
        """The templates as a fresh process reads them."""
        return Prompts(self.database, self.texts)

    def registry(self) -> Registry:
        """The entries, as operators see them."""
        return Registry(self.database, self.texts)

    def preparing(self, budgets: Budgets | None = None) -> Prepare:
        """The use case as a fresh process builds it."""
        tenants = Tenants(self.database)
        policies = Policies(self.database)
        budgets = budgets or Budgets(self.database)
        known = self.database, self.models(), tenants, self.prompts(), self.turns, policies, INBOX, budgets
        return Prepare(*known, self.jobs, self.payloads)

    def accepting(self) -> Accept:
        """The use case as a fresh process builds it."""
        budgets = Budgets(self.database)
        return Accept(
            self.database,
            budgets,
            self.jobs,
            self.payloads,
            self.queue,
            self.preparing(budgets),
            self.check_webhook,
            lambda head, error: self.lost.append(head.id),
            self.quiet_doors,
        )

    def accept(self, body: Any = None, *, now: int = NOW, key: str | None = None, tenant: str = "acme") -> Acceptance:
        """Accept a body through the REST door."""
        caller = Caller(tenant, "key:1", "rest", "corr-1")
        return self.accepting()(parse_request(CHAT if body is None else body), caller, now, key)

    def put(self, head: Head) -> Head:
        """A job as it stands, with its prompt."""
        self.jobs.create(head)
        self.payloads.save(head, "BODY", {**CHAT, "task": "chat"})
        return head

    def start(self, job_id: str, execution: str = "exec-1", now: int = NOW) -> Run:
        """Dispatch a queued job by a message that was there before; the facts that its workflow travels with."""
        head = dispatch(self.jobs, self.workflows, job_id, f"message-{execution}", now)
        assert head is not None
        return Run.of(facts_of(head, head) | {"execution": execution})

    def start_first(self, queued: Head, execution: str = "exec-1", now: int = NOW) -> Run:
        """The same by the first message of a job that was accepted just now."""
        head = dispatch(self.jobs, self.workflows, queued.id, f"message-{execution}", now, queued)
        assert head is not None
        return Run.of(facts_of(head, queued) | {"execution": execution})

    def prompt(self, job_id: str) -> Any:
        """The material that is kept of a job, as its steps read it."""
        return original(self.payloads, job_id)["input"]

    def age(self, now: int) -> None:
        """Let it be later: what has expired by then is not given any more, and DynamoDB deleted it."""
        self.payloads.now = now
        self.database.age(now)

    def available(self, tenant: str = "acme", now: int = NOW) -> int:
        """What is left of the tenant's budget, with what its jobs gave back."""
        return ledger.standing(self.database, tenant, period_of(now)).available

    def spent(self, tenant: str = "acme") -> dict[str, int]:
        """The tenant's spend over all models, shards and slices."""
        total: dict[str, int] = {}
        for item in self.database.items():
            if not f"{item['pk']}#".startswith(f"SPEND#{tenant}#"):
                continue
            for name, value in item.items():
                if isinstance(value, int):
                    total[name] = total.get(name, 0) + value
        return total
