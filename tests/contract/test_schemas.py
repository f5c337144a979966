"""The published contract: the files are the models, and what the code sends is what they say."""

import json
from pathlib import Path
from typing import Any

import pytest
from broker.batches.shard import ENDINGS
from broker.cli.documents import read
from broker.cloud import bus
from broker.contract.common import TREE
from broker.contract.events import SOURCE, Counts, event_models
from broker.contract.replies import Job
from broker.delivery.events import DETAIL_TYPES, REVIEW_TYPES, THRESHOLD, event_of, held_body, held_facts, webhook_body
from broker.errors import BrokerError, BudgetExceeded, Forbidden, InvalidRequest
from broker.jobs.event_consumer import EventConsumer
from broker.jobs.head import Head, Status
from broker.jobs.reading import timeline
from broker.jobs.request import parse_request
from broker.rest.http import error_reply
from broker.schemas import MODELS, documents, text
from broker.tenants.registry import Sender
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tests.contract.published_events import check_event
from tests.contract.world import ASK, NOW, World, every_job
from tests.fakes.inbox import Files
from tests.fakes.queue import FakeRejections
from tests.fakes.world import BASE_URL

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "schemas"
OWN = [f"{name}.json" for name in MODELS]
FILES = sorted(documents())
JOBS = [pytest.param(world, head, id=name) for name, world, head in every_job()]


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{name}.json").read_text()))


def check(name: str, document: Any) -> None:
    validator(name).validate(json.loads(json.dumps(document)))
    if name == "event":
        check_event(document)


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_models_give(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), f"schemas/{name} is missing: run `make schemas`"
    assert path.read_text() == text(documents()[name]), (
        f"schemas/{name} is not what the models give: run `make schemas`"
    )


def test_no_file_is_left_over() -> None:
    left = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()} - documents().keys()
    assert not left, f"no model makes these files in schemas/: {sorted(left)}"


@pytest.mark.parametrize("name", OWN)
def test_a_schema_is_valid_and_named(name: str) -> None:
    schema = json.loads((FOLDER / name).read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", name
    assert schema["$id"] == f"urn:inference-broker:{name.removesuffix('.json')}:1", name
    assert schema["title"] and schema["description"], f"{name} needs a title and a description"


def test_no_published_name_depends_on_where_its_model_lies() -> None:
    """Of two models with one name, pydantic tells them apart by their modules."""
    names = json.loads((FOLDER / "openapi.json").read_text())["components"]["schemas"]
    assert not [name for name in names if "__" in name]


@pytest.mark.parametrize(("world", "head"), JOBS)
def test_a_job_is_shown_as_published(world: World, head: Head) -> None:
    reply = world.call("GET", "/jobs/{id}", path={"id": head.id})
    shown = reply.body
    if reply.status == 410:
        check("error", {"error": shown["error"]})
        shown = shown | {"error": None}
    check("job", shown)


def test_the_jobs_show_everything_that_a_job_can_show() -> None:
    shown = [world.call("GET", "/jobs/{id}", path={"id": head.id}).body for _, world, head in every_job()]
    assert {job["status"] for job in shown} == set(Status)
    for name in ("attempts", "route", "guardrails", "delivery", "metadata", "output", "error", "erased"):
        assert any(job[name] for job in shown), f"no job here has {name}, so nothing is proved of it"
    assert {each["paid"] for job in shown for each in job["attempts"]} == {"yes", "no", "unknown"}
    assert {each["state"] for job in shown for each in job["delivery"]} == {"delivered", "disabled", "pending"}


@pytest.mark.parametrize("change", [{"extra": 1}, {"status": "done"}, {"created_at": "yesterday"}, {"usage": {}}])
def test_a_job_of_another_form_is_refused(change: dict[str, Any]) -> None:
    world = World()
    job = world.call("GET", "/jobs/{id}", path={"id": world.submitted().id}).body
    with pytest.raises(ValidationError):
        check("job", job | change)


@pytest.mark.parametrize("name", sorted(name for name, each in Job.model_fields.items() if each.is_required()))
def test_a_job_without_one_of_its_fields_is_refused(name: str) -> None:
    world = World()
    job = world.call("GET", "/jobs/{id}", path={"id": world.submitted().id}).body
    del job[name]
    with pytest.raises(ValidationError, match=name):
        check("job", job)


@pytest.mark.parametrize(("world", "head"), JOBS)
def test_the_event_of_each_status_is_as_published(world: World, head: Head) -> None:
    event = event_of(None, head, BASE_URL)
    assert event is not None
    kind, detail = event
    check("event", {"source": bus.SOURCE, "detail-type": kind, "detail": detail})


def test_an_event_with_the_status_of_another_is_refused() -> None:
    kind, detail = event_of(None, World().submitted(), BASE_URL) or ("", {})
    with pytest.raises(ValidationError):
        check("event", {"source": bus.SOURCE, "detail-type": "JobFailed", "detail": detail})
    with pytest.raises(ValidationError):
        check("event", {"source": "someone.else", "detail-type": kind, "detail": detail})


@pytest.mark.parametrize("body", ["nonsense", "[]", "{}", json.dumps({"id": "e-1", "source": "shop", "account": "1"})])
def test_a_rejection_is_as_published(body: str) -> None:
    check_rejection(body, InvalidRequest("never called"))


def test_a_rejection_of_an_unknown_source_is_as_published() -> None:
    event = {"id": "e-1", "source": "shop", "account": "123456789012", "detail": {}}
    check_rejection(json.dumps(event), Forbidden("No tenant is registered.", code="unknown_source"))


def check_rejection(body: str, error: BrokerError) -> None:
    def tenant_of(account: str, source: str) -> Sender:
        raise error

    sent: list[tuple[str, dict[str, Any]]] = []
    take = EventConsumer(World().accept, tenant_of, FakeRejections(), lambda kind, detail: sent.append((kind, detail)))
    assert take(body, NOW) is None
    ((kind, detail),) = sent
    check("event", {"source": bus.SOURCE, "detail-type": kind, "detail": detail})


OF_SUFFIX = {".error.json": "error", ".result.json": "job"}
"""The schema of each file of the outbox, or of its lines."""


@pytest.mark.parametrize(
    ("key", "body", "kind"),
    [
        ("acme/a.txt", "Hello", "BatchCompleted"),
        ("acme/a.json", "Hello", "RequestRejected"),
        ("nobody/a.txt", "Hello", "RequestRejected"),
    ],
)
def test_what_is_told_of_a_file_is_as_published(key: str, body: str, kind: str) -> None:
    files = Files()
    taken = files.taken(key, body)
    files.finish(taken.batch_id)
    files.collect(taken.batch_id)
    ((sent, detail),) = files.bus.events
    assert sent == kind
    check("event", {"source": bus.SOURCE, "detail-type": sent, "detail": detail})
    assert "Hello" not in json.dumps(detail)
    for name, content in files.outbox.objects.items():
        suffix = name.removeprefix(key)
        for row in map(json.loads, content.splitlines()):
            check(OF_SUFFIX[suffix], row)


def test_the_counts_of_a_batch_are_those_that_the_contract_names() -> None:
    assert set(Counts.model_fields) == set(ENDINGS)


def test_every_detail_type_of_the_code_is_published() -> None:
    of_batches = {"BatchStarted", "BatchProgressed", "BatchCompleted", "BatchFailed"}
    of_webhooks = {"WebhookEndpointDisabled", "WebhookExhausted"}
    known = {*DETAIL_TYPES.values(), *REVIEW_TYPES, *of_batches, *of_webhooks, "RequestRejected", THRESHOLD}
    assert set(event_models()) == known
    assert set(DETAIL_TYPES) == set(Status), "a status has no event"
    assert SOURCE == bus.SOURCE, "the contract and the bus name different sources"


@pytest.mark.parametrize(("world", "head"), [each for each in JOBS if each.values[1].status.terminal])
def test_a_webhook_is_as_published(world: World, head: Head) -> None:
    body = webhook_body(head, BASE_URL)
    check("webhook", body)
    assert body["type"] in head.webhook


def test_a_webhook_of_a_hold_is_as_published() -> None:
    head = World().held()
    body = held_body(head, held_facts(head), BASE_URL)
    check("webhook", body)
    assert (body["type"], body["data"]["url"]) == ("job.held", f"{BASE_URL}/jobs/{head.id}")


@pytest.mark.parametrize(("world", "head"), JOBS)
def test_events_and_webhooks_hold_nothing_of_prompt_and_answer(world: World, head: Head) -> None:
    sent = json.dumps(
        [event_of(None, head, BASE_URL), webhook_body(head, BASE_URL), timeline(head, world.jobs.notes(head.id))]
    )
    assert "Hello" not in sent


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_of_each_class_is_as_published(kind: type[BrokerError]) -> None:
    reply = error_reply(kind("A message.", param="input.text", retry_after=0.2), "r-1")
    check("error", reply.body)
    assert 400 <= reply.status < 600
    assert reply.headers["retry-after"] == "1"


def test_a_refusal_for_the_budget_is_as_published_and_says_how_it_stands() -> None:
    with pytest.raises(BudgetExceeded) as failure:
        World().call("POST", "/jobs", body=json.dumps(ASK), tenant="poor")
    reply = error_reply(failure.value, "r-1")
    check("error", reply.body)
    assert reply.status == 402
    assert reply.body["error"]["budget"]["limit_usd"] == 0 < reply.body["error"]["budget"]["worst_cost_usd"]


REQUESTS: list[tuple[dict[str, Any], bool]] = [
    ({"input": {"text": "Hello"}}, True),
    ({"input": {"messages": [{"role": "user", "content": "Hello"}]}, "parameters": {"temperature": 0.2}}, True),
    ({"prompt": {"id": "summarize", "version": 3, "variables": {"document": "…"}}, "output_schema": {}}, True),
    ({"input": {"text": "x"}, "webhook": {"url": "https://example.com/", "events": ["job.failed"]}}, True),
    ({"input": {"text": "x"}, "webhook": {"url": "https://example.com/", "events": ["job.held"]}}, True),
    ({"input": {"text": "x"}, "webhook": {"url": "https://example.com/", "events": ["job.started"]}}, False),
    ({"input": {"text": "x"}, "colour": "blue"}, False),
    ({}, False),
    ({"prompt": None}, False),
    ({"task": "chat"}, False),
    ({"input": {"text": "x"}, "task": "sing"}, False),
    ({"input": {"messages": [{"role": "king", "content": "x"}]}}, False),
    ({"input": {"text": "x"}, "deadline_seconds": 0}, False),
    ({"input": {"text": "x"}, "deadline_seconds": 60.0}, True),
    ({"input": {"text": "x"}, "deadline_seconds": "60"}, False),
    ({"input": {"text": "x"}, "parameters": {"max_output_tokens": True}}, False),
    ({"input": {"text": "x"}, "parameters": {"temperature": 1}}, True),
    ({"input": {"text": "x"}, "parameters": {"temperature": "1"}}, False),
    ({"input": {"text": "x"}, "coalesce": 1}, False),
    ({"input": {"text": "x"}, "coalesce": "yes"}, False),
    ({"input": {"text": "x"}, "conversation_id": "a b"}, False),
    ({"input": {"text": "x"}, "metadata": {"a": "x" * 513}}, False),
]


@pytest.mark.parametrize(("body", "good"), REQUESTS, ids=lambda each: json.dumps(each)[:60])
def test_schema_and_code_take_the_same_requests(body: dict[str, Any], good: bool) -> None:
    try:
        parse_request(body)
        taken = True
    except InvalidRequest:
        taken = False
    assert taken is good
    assert validator("job-request").is_valid(body) is good


@pytest.mark.parametrize("path", ["examples/registry", "local/registry.json"])
def test_the_registries_in_the_repository_are_as_published(path: str) -> None:
    check("registry", json.loads(json.dumps(read(ROOT / path), default=str)))  # YAML's days are texts in JSON
