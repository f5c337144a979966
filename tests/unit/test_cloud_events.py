"""Tenants that want CloudEvents get each event about them so, and nobody else's events change."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.cloud.bus import Bus
from broker.delivery.events import crossings_of, event_of, review_event_of
from broker.delivery.telling import TellBus
from broker.envelope import SOURCE, envelope
from broker.jobs.head import Head, Status
from broker.jobs.transitions import cancel
from broker.registry.document import parse_registry
from broker.storage import Put
from broker.tenants.registry import Tenants

from tests.contract.published_events import check_event
from tests.contract.test_events import Recorded
from tests.contract.world import every_job
from tests.fakes.database import FakeDatabase
from tests.fakes.world import BASE_URL, NOW, World, a_model

HEADS = [pytest.param(head, id=name) for name, _, head in every_job()]


def cloud(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Check an event as CloudEvents and our own schema have it; gives its envelope."""
    check_event({"source": SOURCE, "detail-type": kind, "detail": detail})
    assert (detail["specversion"], detail["type"], detail["source"]) == ("1.0", f"{SOURCE}.{kind}", SOURCE)
    assert all(name.isascii() and name.isalnum() and name.islower() for name in detail)
    assert all(isinstance(value, str) and value for name, value in detail.items() if name != "data")
    return detail


@pytest.mark.parametrize("head", HEADS)
def test_an_event_tells_the_same_in_either_envelope(head: Head) -> None:
    kind, own = event_of(None, head, BASE_URL) or ("", {})
    check_event({"source": SOURCE, "detail-type": kind, "detail": own})
    told = cloud(*(event_of(None, replace(head, cloud_events=True), BASE_URL) or ("", {})))
    assert (told["id"], told["time"]) == (own["metadata"]["event_id"], own["metadata"]["created_at"])
    assert (told["tenant"], told["correlationid"]) == (own["metadata"]["tenant"], own["metadata"]["correlation_id"])
    assert (told["data"], told["subject"]) == (own["data"], head.id)


def test_a_job_keeps_the_form_that_its_tenant_wanted_when_it_was_accepted() -> None:
    world = World()
    world.register(a_model("small"))
    world.tenant("modern", cloud_events=True)
    world.tenant("plain")
    wants, other = (world.accept(tenant=tenant).head for tenant in ("modern", "plain"))
    stored = Head.from_item(world.jobs.get(wants.id).to_item())
    assert stored.cloud_events and "cloud_events" not in world.jobs.get(other.id).to_item()
    ended = cancel(stored, now=NOW)
    cloud(*(event_of(stored, ended, BASE_URL) or ("", {})))
    kind, detail = event_of(None, other, BASE_URL) or ("", {})
    assert detail.keys() == {"metadata", "data"}, kind


def test_reviews_and_thresholds_are_told_so_as_well() -> None:
    (held,) = (head for name, _, head in every_job() if head.is_held) or ()
    held = replace(held, cloud_events=True)
    cloud(*(review_event_of(replace(held, review={}), held, BASE_URL) or ("", {})))
    (ended, *_) = (head for _, _, head in every_job() if head.status is Status.SUCCEEDED)
    crossed = replace(ended, cloud_events=True, crossed={"tenant:acme/2026-11": 80})
    for kind, detail in crossings_of(None, crossed):
        cloud(kind, detail)


@pytest.mark.parametrize(
    ("tenant", "wanted"), [("modern", True), ("plain", False), ("off", False), ("nobody", False), (None, False)]
)
def test_what_is_of_no_job_is_told_as_its_tenant_wants_it(tenant: str | None, wanted: bool) -> None:
    entries = parse_registry(
        {"tenants": [{"id": "modern", "cloud_events": True}, {"id": "plain"}, {"id": "off", "enabled": False}]}
    )
    database = FakeDatabase()
    for entry in entries.tenants:
        database.write(Put("registry", entry.item()))
    known = Tenants(database)
    bus = Recorded()
    tell = TellBus(Bus(bus, "bus").put_one, lambda tenant: known.get(tenant, NOW).cloud_events)
    facts = {"batch_id": f"batch_{'0' * 32}", "url": f"{BASE_URL}/batches/x", "total": 3}
    tell("BatchStarted", envelope("evt_1", "c", tenant, NOW, facts))
    (entry_put,) = bus.entries
    detail = json.loads(entry_put["Detail"])
    assert (entry_put["Source"], entry_put["DetailType"]) == (SOURCE, "BatchStarted")
    if wanted:
        assert cloud("BatchStarted", detail)["subject"] == facts["batch_id"]
    else:
        assert detail["metadata"]["tenant"] == tenant
