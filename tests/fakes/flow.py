"""Jobs that go through the workflow's own definition, with all its steps on the fakes."""

import json
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from broker.cloud.workflows import facts_of
from broker.errors import CredentialRejected
from broker.jobs.dispatching import dispatch
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, REQUEST
from broker.prompts.templates import Prompts
from broker.prompts.texts import NoTexts
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.rest.api import Api
from broker.rest.http import Request
from broker.steps.advancing import Advance
from broker.steps.asking import AskEngines
from broker.steps.context import Run
from broker.steps.guarding import Guard
from broker.steps.selecting import SelectModel
from broker.steps.semantic_cache import FindSimilar
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants
from handlers.step import step
from jsonata.jsonata import Jsonata

from tests.contract.workflows import inference
from tests.fakes.circuits import FakeCircuits
from tests.fakes.provider import FakeProvider
from tests.fakes.questions import answers, cache_lookup_of
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, NOW, SECOND, World

CONTEXT = SimpleNamespace(aws_request_id="7d5a3b1c-0f5e-4a53-b6f0-2f6f6f1c1a2b")

POLICY = "GUARDRAIL#people"


class Echo(FakeProvider):
    """A model that says what it was told last; after its script, and but for embeddings."""

    tasks = frozenset({"chat", "embed"})

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """See `Provider.invoke`."""
        if not self.script:
            messages = call.input.get("messages") or [{"content": call.input["text"]}]
            said = {"embeddings": [[1.0, 0.5]]} if call.task == "embed" else {"text": f"You: {messages[-1]['content']}"}
            self.script.append(Answer(said, input_tokens=10, output_tokens=20))
        return super().invoke(call)


@dataclass
class Flow:
    """One deployment whose processes are warm. What travels between its steps is kept."""

    rules: Sequence[dict[str, Any]] = ()
    """Of the policy that holds for all, as the registry has them."""
    keys: dict[str, str] = field(default_factory=dict)
    """Secrets, by name."""
    stage: Stage = field(default_factory=lambda: Stage(provider=Echo()))
    travelled: list[Any] = field(default_factory=list)
    now: int = NOW
    repeats: bool = False
    """Each step is made twice, as where its reply was lost or where it broke off."""
    definition: dict[str, dict[str, Any]] = field(default_factory=inference)
    """The workflow's states: today's, unless said."""
    visited: set[str] = field(default_factory=set)
    """The states that jobs came through."""

    def __post_init__(self) -> None:
        self.hold(*self.rules)
        self.tenant("acme")
        self.tenant("other")

    def hold(self, *rules: dict[str, Any]) -> None:
        """Register the policy anew."""
        self.world.register({"pk": POLICY, "sk": "GUARDRAIL", "version": 1, "rules": list(rules)})

    def tenant(self, tenant: str = "acme", **settings: Any) -> None:
        """Register a tenant that names the policy."""
        self.world.tenant(tenant, guardrails=["people"], **settings)

    @property
    def world(self) -> World:
        return self.stage.world

    @property
    def sent(self) -> list[str]:
        """All that providers were told, call by call."""
        return [str((call.input, call.parameters, call.output_schema)) for call in self.stage.provider.calls]

    def __call__(self, body: dict[str, Any], tenant: str = "acme") -> Head:
        """Submit a job, and run it to its end."""
        return self.run(self.submit(body, tenant))

    def submit(self, body: dict[str, Any], tenant: str = "acme") -> Head:
        """Accept a job, a second after the last one."""
        self.now += SECOND
        return self.world.accept(body, now=self.now, tenant=tenant).head

    def run(self, head: Head) -> Head:
        """Dispatch a job, and follow the workflow until it ends."""
        claimed = dispatch(self.world.jobs, self.world.workflows, head.id, f"m-{head.run}", self.now)
        assert claimed is not None
        facts = json.loads(json.dumps(facts_of(claimed, claimed)))
        context = {"Execution": {"Id": f"arn:execution:{head.id}-{claimed.run}"}}
        self._follow({"input": facts, "context": context})
        return self.world.jobs.get(head.id)

    def _follow(self, given: dict[str, Any]) -> None:
        steps, name = self._steps(), "Check Input"
        held: dict[str, Any] = {}
        while True:
            state = self.definition[name]
            self.visited.add(name)
            result: Any = None
            if state["Type"] == "Task":
                payload = _value(state["Arguments"]["Payload"], held, given)
                made = steps[state["Arguments"]["FunctionName"]]
                if self.repeats:
                    with suppress(ConnectionError):
                        made(payload, CONTEXT)
                result = json.loads(json.dumps(made(payload, CONTEXT)))
                self.travelled += [payload, result]
            held |= self._assigned(state, held, given | {"result": {"Payload": result}})
            if state.get("End"):
                return
            if "Output" in state:
                given = given | {"input": _value(state["Output"], held, given)}
            met = next((each for each in state.get("Choices", ()) if _value(each["Condition"], held, given)), None)
            held |= self._assigned(met or {}, held, given)
            name = met["Next"] if met else state.get("Next") or state["Default"]

    def _assigned(self, state: dict[str, Any], held: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        assigned = state.get("Assign", {})
        return {name: _value(text, held, given) if isinstance(text, str) else text for name, text in assigned.items()}

    def _steps(self) -> dict[str, Callable[[Any, Any], Any]]:
        world, tenants = self.world, Tenants(self.world.database)
        invoke, lookup = self.stage.invoke(), cache_lookup_of(self.world)
        policies = Policies(world.database)
        guard = Guard(world.jobs, world.payloads, tenants, policies, self._secret)
        prompts = Prompts(world.database, NoTexts())
        engines = AskEngines(world.jobs, world.payloads, tenants, policies, world.models(), prompts, invoke)
        select = SelectModel(world.jobs, world.payloads, world.models(), tenants, lookup, FakeCircuits())
        advance, settle = Advance(world.jobs, invoke), settling_of(world)
        similar = FindSimilar(world.jobs, world.payloads, tenants, lookup, invoke.embed)

        def _check_input(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return guard.check_input(run, self.now, event.get("heard", ""))

        def _select_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return select(run, self.now)

        def _invoke_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            if event.get("guard"):
                return engines(run, event["guard"], event["rules"], event.get("output"), self.now)
            if event.get("similar"):
                return similar(run, self.now)
            return advance(run, event["candidates"], event["place"], self.now)

        def _moderate_output(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            return guard.moderate_output(run, event["output"], self.now, event.get("heard", ""))

        def _settle_job(run: Run, event: dict[str, Any]) -> dict[str, Any]:
            ended = settle(run, event["ending"], self.now, keeps=bool(event.get("keep")))
            return {"status": ended.status.value}

        works = (_check_input, _select_model, _invoke_model, _moderate_output, _settle_job)
        return {f"${{{_function(work.__name__)}}}": step(work) for work in works}

    def _secret(self, name: str) -> str:
        if name not in self.keys:
            raise CredentialRejected(f"There is no secret {name!r}.", code="no_secret")
        return self.keys[name]

    def look(self, job_id: str, scopes: str = "jobs:read", tenant: str = "acme", include: str = "", **path: str) -> Any:
        """What a caller gets by REST: of a job, or of another `resource`."""
        world, nothing = self.world, lambda *_: None
        api = Api(
            *(world.accepting(), world.jobs, world.payloads, world.models(), Tenants(world.database)),
            *(nothing, answers(world.database).forget, world.turns, FakeCircuits(), *[nothing] * 8),
        )  # type: ignore[arg-type, misc]
        who = frozenset(scopes.split())
        resource = path.get("resource", "/jobs/{id}")
        query, began = {"include": include}, time.monotonic()
        call = Request("GET", resource, {"id": job_id}, query, {}, None, tenant, "ci", who, "r-1", BASE_URL, began)
        return api(call).body

    def kept(self) -> str:
        """All that was stored, queued and told to the workflow, but for the payloads that may have what came in."""
        items = [
            {name: _unpacked(value) for name, value in item.items() if not _is_mapping(item, name)}
            for item in self.world.database.items()
            if item["pk"] != POLICY
        ]
        documents = [
            (job, name, self.world.payloads.load(job, name), self.world.payloads.facts(job, name))
            for job in self.world.payloads.owners()
            for name in self.world.payloads.names(job)
            if name not in (REQUEST, REDACTED)
        ]
        return repr((items, documents, self.travelled, self.world.queue.sent))


def _is_mapping(item: dict[str, Any], name: str) -> bool:
    """True for what a conversation's turns and summary keep of the values, as its own payload."""
    return name == "mapping" and item["pk"].startswith("CONV#")


def _unpacked(value: Any) -> Any:
    try:
        return zlib.decompress(value)
    except (TypeError, zlib.error):
        return value


def _function(name: str) -> str:
    return "".join(word.title() for word in name.split("_")) + "Function"


def _value(text: str, held: dict[str, Any], given: dict[str, Any]) -> Any:
    expression = Jsonata(text.removeprefix("{%").removesuffix("%}"))
    for name, value in {**held, "states": given}.items():
        expression.assign(name, value)
    return json.loads(json.dumps(expression.evaluate({})))
