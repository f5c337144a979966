"""The deployed stack, as the tests use it."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from broker.cli import create_key, registry_of, tables_of
from broker.clock import now_ms
from broker.cloud.database import DynamoDatabase
from broker.jobs.head import due_partition, job_pk
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.routing.board import KEEP_MS, own
from broker.routing.board import PK as HEALTH
from broker.routing.circuits import FIRST_COOLING_MS
from broker.routing.figures import Figures
from broker.storage import TableName, Update
from broker.tenants.api_keys import new_key

from local.client import Client
from local.deployment import Cloud
from local.seeding import Seeded

STACK = "inference-broker"


@dataclass(frozen=True)
class Stack:
    """The stack, its seeds, and its ways in."""

    cloud: Cloud
    outputs: dict[str, str]
    seeded: Seeded
    models_url: str

    @property
    def base_url(self) -> str:
        """Where the REST API is."""
        return self.outputs["ApiUrl"]

    @property
    def database(self) -> DynamoDatabase:
        """The tables."""
        return tables_of(self.cloud, self.outputs)

    @property
    def api(self) -> Client:
        """The REST API as the tenant `demo`."""
        return Client(self.base_url, self.seeded.api_key)

    def as_tenant(self, tenant: str, **options: Any) -> Client:
        """The REST API with a new key of a tenant."""
        return Client(self.base_url, create_key(self.database, tenant, "tests", **options))

    def run(self, body: dict[str, Any], client: Client | None = None) -> dict[str, Any]:
        """Submit a job and give it as it ended."""
        api = client or self.api
        answer = api.submit(body)
        assert answer.status == 202, answer.body
        return api.finished(answer.body["id"])

    def sweep(self) -> dict[str, Any]:
        """Have the sweep run now, not within the minute."""
        return self._run(self.outputs["SweepFunction"])

    def clean(self) -> dict[str, Any]:
        """Have the objects end now whose time is over, not within five minutes."""
        return self._run(self.physical("CleanFunction"))

    def _run(self, function: str) -> dict[str, Any]:
        reply = self.cloud.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        counts: dict[str, Any] = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, counts
        return counts

    def physical(self, logical_id: str) -> str:
        """The physical id of a resource of the template."""
        found = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    @contextmanager
    def disabled(self, logical_id: str, queue: str | None = None) -> Iterator[None]:
        """Switch off the event sources of a function; with a `queue`, only that one."""
        functions = self.cloud.client("lambda")
        source = self.physical(queue).rpartition("/")[2] if queue else ""
        found = functions.list_event_source_mappings(FunctionName=self.physical(logical_id))["EventSourceMappings"]
        mappings = [each["UUID"] for each in found if each["EventSourceArn"].endswith(source)]
        assert mappings, f"{logical_id} has no event source"
        for mapping in mappings:
            functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        time.sleep(1.5)  # a poll under way may still take a message
        try:
            yield
        finally:
            for mapping in mappings:
                functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    @contextmanager
    def faults(self, order: str, functions: Iterable[str]) -> Iterator[None]:
        """Have functions (`Api`, …) crash or hang, as `broker.cloud.fault_injection` does on order."""
        client = self.cloud.client("lambda")
        before: dict[str, dict[str, str]] = {}
        for each in dict.fromkeys(functions):  # one that is named twice is restored to what it was before both
            name = self.physical(f"{each}Function")
            before[name] = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables = before[name] | {"BROKER_FAULTS": order}
            client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        try:
            yield
        finally:
            for name, variables in before.items():
                client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    def nothing_dispatched(self) -> AbstractContextManager[None]:
        """Hold the lanes: jobs stay queued."""
        return self.disabled("DispatchFunction")

    def bulk_held(self) -> AbstractContextManager[None]:
        """Hold the lane for work that can wait; interactive jobs go on."""
        return self.disabled("DispatchFunction", "BulkQueue")

    def make_due(self, job_id: str) -> None:
        """Let the sweep find a job now."""
        self.database.write(Update("jobs", job_pk(job_id), "HEAD", set={"due_at": now_ms()}))

    def age(self, partition: str) -> None:
        """Let the time of all payloads of a partition (a job, a conversation) be over; the record's is not."""
        for item in self.database.query("jobs", partition):
            if item["sk"].startswith("ENDS#"):
                facts = {"due_at": now_ms()}
            elif "z" in item or "s3" in item:
                facts = {"expires_at": now_ms() // 1000}
            else:
                continue
            self.database.write(Update("jobs", partition, item["sk"], set=facts))

    def readdress(self, job_id: str, url: str) -> None:
        """Send the job's webhook elsewhere, and let the sweep find it now."""
        facts = {"url": url, "due_at": now_ms()}
        self.database.write(Update("jobs", job_pk(job_id), "NOTE#DELIVERY#job.succeeded", set=facts))

    def lose_collection(self, batch_id: str, result_key: str) -> None:
        """Let a batch stand as if its collection had been lost, and let the sweep find it now."""
        self.cloud.client("s3").delete_object(Bucket=self.outputs["OutboxBucket"], Key=result_key)
        facts = {"state": "open", "due": due_partition(batch_id), "due_at": now_ms()}
        self.database.write(Update("jobs", f"BATCH#{batch_id}", "BATCH", set=facts))

    def open_circuit(self, model: str, until_ms: int) -> None:
        """Let a model's circuit be open for all until then, and no tenant's own; wait until every process knows."""
        gone = Update(
            "ledger", HEALTH, own(model, "demo"), remove=("state", "until", "cooling", "probe", "probe_until")
        )
        self.database.write(gone)
        self.open_circuits([model], until_ms)

    def open_circuits(self, models: Iterable[str], until_ms: int) -> None:
        """The same for several models that no tenant has a circuit of its own of."""
        facts = {"state": "open", "until": until_ms, "cooling": FIRST_COOLING_MS, "probe": "", "probe_until": 0}
        self._put_on_board(dict.fromkeys(models, facts))

    def show_figures(self, known: dict[str, Figures]) -> None:
        """Let these be the models' live figures, and wait until every process knows."""
        self._put_on_board({model: dict(figures.to_attributes()) for model, figures in known.items()})

    def _put_on_board(self, known: dict[str, dict[str, Any]]) -> None:
        for model, facts in known.items():
            self.database.write(Update("ledger", HEALTH, model, set=facts))
        time.sleep(KEEP_MS / 1000)

    def register(self, document: dict[str, Any]) -> None:
        """Apply a document to the registry, as `broker apply` does; other processes know of it half a minute later."""
        apply(registry_of(self.cloud, self.outputs), parse_registry(document), by="tests", now=now_ms())

    def drop(self, table: TableName, keys: Iterable[tuple[str, str]]) -> None:
        """Delete items, by `pk` and `sk`."""
        client, name = self.cloud.client("dynamodb"), self.outputs[f"{table.title()}Table"]
        for pk, sk in keys:
            client.delete_item(TableName=name, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    def history(self, job_id: str, run: int = 1) -> list[dict[str, Any]]:
        """The events of a job's run, of the workflow for jobs whose time budget is long."""
        arn = self.physical("StandardWorkflow").replace(":stateMachine:", ":execution:")
        pages = self.cloud.client("stepfunctions").get_paginator("get_execution_history")
        found = pages.paginate(executionArn=f"{arn}:{job_id}-{run}")
        return [event for page in found for event in page["events"]]

    @staticmethod
    def unknown_key() -> str:
        """A key of the right form that nobody was given."""
        return new_key()[0]

    def calls_of(self, job: dict[str, Any]) -> list[str]:
        """The models that a job tried, in order."""
        return [attempt["model"] for attempt in job["attempts"]]


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    """What `holds` gives, once that is something; the last it gave when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def chat(text: str = "Summarize: The lamp needed nobody. The keeper slept.", **more: Any) -> dict[str, Any]:
    """The body of a small job."""
    return {"input": {"text": text}, "parameters": {"max_output_tokens": 50}, **more}


def put_event(stack: Stack, detail: dict[str, Any], source: str = "tests.orders") -> str:
    """Put an `InferenceRequested` on the bus; gives its id, which is the job's correlation id."""
    entry = {
        "EventBusName": stack.outputs["BusName"],
        "Source": source,
        "DetailType": "InferenceRequested",
        "Detail": json.dumps(detail),
    }
    return str(stack.cloud.client("events").put_events(Entries=[entry])["Entries"][0]["EventId"])
