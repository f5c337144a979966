"""Taking events in: a job for each event, or a rejection with the reason."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.errors import InvalidRequest, KeyInFlight, Unavailable
from broker.jobs.accepting import Acceptance
from broker.jobs.event_consumer import EventConsumer, refuse_document
from broker.permissions.who import Member
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.tenants.registry import Tenants
from handlers.batch import MARGIN_S, each_record

from tests.fakes.bus import FakeBus
from tests.fakes.database import Crash
from tests.fakes.queue import FakeRejections
from tests.fakes.texts import long_text
from tests.fakes.world import CHAT, MINUTE, NOW, World, a_model

EVENT = {"id": "e-1", "account": "123456789012", "source": "shop.orders", "detail": CHAT}


@dataclass
class Door:
    """The door for events, and all behind it."""

    world: World = field(default_factory=World)
    rejections: FakeRejections = field(default_factory=FakeRejections)
    bus: FakeBus = field(default_factory=FakeBus)
    documents: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.register(
            a_model("small"), {"pk": "SOURCE#123456789012#shop.orders", "sk": "SOURCE", "tenant": "acme"}
        )
        self.world.tenant()

    def __call__(self, event: Any = None, *, now: int = NOW, **changes: Any) -> Acceptance | None:
        accepted = self.take(event, now, **changes)
        assert not isinstance(accepted, str)
        return accepted

    def take(self, event: Any = None, now: int = NOW, **changes: Any) -> Acceptance | str | None:
        """Take an event in."""
        body = event if isinstance(event, str) else json.dumps(event if event is not None else {**EVENT, **changes})
        of_event = Tenants(self.world.database).of_event
        ports = self.world.accepting(), of_event, self.rejections, self.bus.put_one
        return EventConsumer(*ports, self.take_document)(body, now)

    def take_document(self, detail: Any, tenant: str, event_id: str, principal: str, member: Member) -> None:
        """Take a document; one that names no recipe is at fault."""
        if "recipe" not in detail["document"]:
            raise InvalidRequest("document.recipe: it is needed", code="invalid_field", param="document.recipe")
        self.documents.append((detail["document"]["s3"], tenant, event_id, principal))


@pytest.fixture
def take() -> Door:
    return Door()


def test_an_event_becomes_a_job_of_its_sources_tenant(take: Door) -> None:
    accepted = take()
    assert accepted is not None
    head = take.world.jobs.get(accepted.head.id)
    assert (head.tenant, head.door, head.principal, head.correlation_id) == (
        "acme",
        "event",
        "event:shop.orders",
        "e-1",
    )
    assert take.rejections.kept == []
    assert take.bus.events == []


def test_an_event_may_ask_for_a_document_and_is_rejected_where_that_cannot_be(take: Door) -> None:
    detail = {"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}}
    assert take.take(detail=detail) == "acme"
    assert take.documents == [("s3://inbox/acme/a.pdf", "acme", "e-1", "event:shop.orders")]
    assert take.take(detail={"document": {"s3": "s3://inbox/acme/a.pdf"}}) is None
    assert take.rejections.kept[-1][1] == "invalid_field: document.recipe: it is needed"
    assert take.bus.kinds == ["RequestRejected"] and len(take.documents) == 1


def test_an_event_that_comes_again_gives_the_same_job(take: Door) -> None:
    first, again, other = take(), take(now=NOW + MINUTE), take(id="e-2")
    assert first is not None
    assert again is not None
    assert other is not None
    assert again.repeated
    assert again.head == first.head
    assert other.head.id != first.head.id


def test_an_event_whose_prompts_text_cannot_be_read_comes_again_and_is_not_rejected(take: Door) -> None:
    document = parse_registry({"prompts": [{"id": "long", "user": long_text(150_000)}]})
    apply(take.world.registry(), document, by="ops", now=NOW)
    kept, take.world.texts.kept = take.world.texts.kept, {}
    with pytest.raises(Unavailable):
        take(detail={"prompt": {"id": "long"}})
    assert (take.rejections.kept, take.bus.events) == ([], [])
    take.world.texts.kept = kept
    accepted = take(detail={"prompt": {"id": "long"}}, now=NOW + MINUTE)
    assert accepted is not None
    assert take.world.prompt(accepted.head.id)["messages"][-1]["content"] == long_text(150_000)


def test_an_event_that_is_being_accepted_comes_again(take: Door) -> None:
    take.world.database.crash_in = 1
    with pytest.raises(Crash):
        take()
    take.world.database.crash_in = None
    with pytest.raises(KeyInFlight):
        take()
    assert take.rejections.kept == []
    assert take(now=NOW + MINUTE) is not None


def test_a_tenant_in_the_body_means_nothing(take: Door) -> None:
    take.world.tenant("rich")
    assert take(detail={**CHAT, "metadata": {"tenant": "rich"}}, tenant="rich") is not None
    assert take.world.queue.sent[0].tenant == "acme"
    assert take(id="e-2", detail={**CHAT, "tenant": "rich"}) is None


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_an_event_may_be_as_deep_as_any_body(take: Door) -> None:
    take(detail={**CHAT, "output_schema": {"const": nested(62)}})
    assert take.rejections.kept == []


REJECTED = [
    ("no JSON", "{", "invalid_json", None),
    ("no object", "[]", "invalid_event", None),
    ("no end", "[" * 100_000, "too_deep", None),
    ("a level too deep", {**EVENT, "detail": {"task": "custom", "input": {"body": nested(63)}}}, "too_deep", None),
    *((f"no {name}", {k: v for k, v in EVENT.items() if k != name}, "invalid_event", name) for name in EVENT),
    ("an unknown source", {**EVENT, "source": "stranger"}, "unknown_source", None),
    ("another account", {**EVENT, "account": "210987654321"}, "unknown_source", None),
    ("a bad field", {**EVENT, "detail": {**CHAT, "modle": "x"}}, "invalid_field", "modle"),
    ("an unknown model", {**EVENT, "detail": {**CHAT, "model": "none"}}, "unknown_model", "model"),
    ("a detail that is a text", {**EVENT, "detail": "Hi"}, "invalid_body", None),
    ("half a character", {**EVENT, "detail": {"input": {"text": "\ud800"}}}, "invalid_body", None),
]


@pytest.mark.parametrize(
    ("event", "code", "param"), [each[1:] for each in REJECTED], ids=[each[0] for each in REJECTED]
)
def test_what_cannot_be_a_job_is_kept_with_the_reason_and_told(
    take: Door, event: Any, code: str, param: str | None
) -> None:
    assert take(event) is None
    ((body, reason),) = take.rejections.kept
    assert body == (event if isinstance(event, str) else json.dumps(event))
    assert reason.startswith(f"{code}: ")
    assert (param or "") in reason
    ((kind, detail),) = take.bus.events
    assert kind == "RequestRejected"
    assert (detail["data"]["error"]["code"], detail["data"]["error"]["param"]) == (code, param)
    assert take.world.queue.sent == []


def test_where_no_documents_are_taken_an_event_that_asks_for_one_is_rejected_by_name(take: Door) -> None:
    take.take_document = refuse_document  # type: ignore[method-assign]
    assert take(detail={"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}}) is None
    ((_, detail),) = take.bus.events
    assert detail["data"]["error"]["param"] == "document"
    assert take.world.queue.sent == []


def test_a_rejection_names_the_event(take: Door) -> None:
    take(source="stranger")
    take(source="stranger")
    first, again = (detail["metadata"] for _, detail in take.bus.events)
    assert (first["event_id"], first["correlation_id"], first["tenant"]) == ("evt_e-1_rejected", "e-1", None)
    assert again["event_id"] == first["event_id"]
    assert take.bus.events[0][1]["data"]["source"] == "stranger"


def test_a_rejection_tells_nothing_of_the_prompt(take: Door) -> None:
    take(detail={"input": {"messages": [{"role": "robot", "content": "my secret"}]}})
    assert "my secret" not in json.dumps(take.bus.events)
    assert "my secret" not in take.rejections.kept[0][1]


def test_an_event_with_another_body_under_the_same_id_is_rejected(take: Door) -> None:
    take()
    assert take(detail={"input": {"text": "Other."}}) is None
    assert take.rejections.kept[0][1].startswith("idempotency_key_reused: ")


class Minute:
    """The context of a function that has so long still."""

    def __init__(self, left_s: float) -> None:
        self._until = time.monotonic() + left_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self._until - time.monotonic()) * 1000)


def test_an_event_of_a_careless_tenant_that_hangs_takes_nothing_from_a_good_ones(take: Door) -> None:
    def hangs_for_one(url: str) -> None:
        while "never" in url:
            pass

    take.world.check_webhook = hangs_for_one
    take.world.register({"pk": "SOURCE#123456789012#careless", "sk": "SOURCE", "tenant": "careless"})
    take.world.tenant("careless")
    hangs = {"source": "careless", "detail": {**CHAT, "webhook": {"url": "https://never.example/"}}}
    bodies = [{**EVENT, "id": f"e-{number}", **(hangs if number in (0, 4) else {})} for number in range(10)]
    records = [
        {"messageId": each["id"], "body": json.dumps(each), "attributes": {"ApproximateReceiveCount": "1"}}
        for each in bodies
    ]
    reply = each_record({"Records": records}, Minute(MARGIN_S + 10), lambda record: take(record["body"]))
    assert [each["itemIdentifier"] for each in reply["batchItemFailures"]] == ["e-0", "e-4"]
    assert [head.correlation_id for head in take.world.queue.sent] == [f"e-{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9)]
    assert {head.tenant for head in take.world.queue.sent} == {"acme"}
