"""Events that come again: by an archive's replay, from dead letters, or put twice by their sender as CloudEvents."""

import json
from typing import Any

import pytest
from broker.jobs.event_consumer import KNOWN_MS

from tests.contract.published_events import check_event
from tests.fakes.world import NOW
from tests.unit.test_event_consumer import CHAT, EVENT, MINUTE, Door

DAY = 86_400_000
TIME = {"time": "2026-11-01T00:00:00Z"}
ENVELOPE = {"specversion": "1.0", "id": "order-17", "source": "/shop/orders", "type": "shop.order.asked"}


@pytest.fixture
def take() -> Door:
    return Door()


def event(at: int, **more: Any) -> dict[str, Any]:
    from broker.clock import iso

    return {**EVENT, "time": iso(at), **more}


@pytest.mark.parametrize("after", [MINUTE, 2 * DAY, KNOWN_MS - MINUTE])
def test_a_replay_of_an_archive_makes_no_second_job(take: Door, after: int) -> None:
    first = take(event(NOW))
    replayed = take(event(NOW, **{"replay-name": "again"}), now=NOW + after)
    assert first and replayed
    assert (replayed.head.id, replayed.repeated) == (first.head.id, True)
    assert len(take.world.queue.sent) == 1


def test_a_replay_of_what_was_never_taken_becomes_a_job(take: Door) -> None:
    replayed = take(event(NOW, **{"replay-name": "again"}), now=NOW + 3 * DAY)
    assert replayed and not replayed.repeated


@pytest.mark.parametrize("at", [NOW - KNOWN_MS, NOW - 300 * DAY])
def test_a_replay_that_may_be_of_a_job_that_is_forgotten_is_rejected(take: Door, at: int) -> None:
    assert take(event(at, **{"replay-name": "again"})) is None
    ((kind, detail),) = take.bus.events
    assert (kind, detail["data"]["error"]["code"]) == ("RequestRejected", "replayed_too_late")
    assert take.world.queue.sent == []


@pytest.mark.parametrize("time", [None, 7, "yesterday", "", "9999-99-99T00:00:00Z"])
def test_a_replay_without_its_time_is_rejected(take: Door, time: Any) -> None:
    assert take({**EVENT, "replay-name": "again", "time": time}) is None
    assert take.bus.events[0][1]["data"]["error"]["param"] == "time"


def test_an_event_that_lay_in_dead_letters_for_days_is_the_same_job(take: Door) -> None:
    first, again = take(event(NOW)), take(event(NOW), now=NOW + 13 * DAY)
    assert first and again and again.head.id == first.head.id


def test_a_cloud_event_becomes_a_job_of_what_is_in_it(take: Door) -> None:
    accepted = take(detail={**ENVELOPE, "data": CHAT, "traceparent": "00-1-1-01"})
    assert accepted
    assert take.world.prompt(accepted.head.id)["messages"] == CHAT["input"]["messages"]
    assert accepted.head.correlation_id == EVENT["id"]


def test_a_cloud_event_that_its_sender_puts_twice_is_one_job(take: Door) -> None:
    first = take(id="e-1", detail={**ENVELOPE, "data": CHAT})
    again = take(id="e-2", detail={**ENVELOPE, "data": CHAT, "time": "2026-11-01T00:00:00Z"})
    other = take(id="e-3", detail={**ENVELOPE, "source": "/shop/order", "id": "sorder-17", "data": CHAT})
    assert first and again and other
    assert (again.head.id, again.repeated) == (first.head.id, True)
    assert other.head.id != first.head.id
    assert take(id="e-4", detail={**ENVELOPE, "data": {"input": {"text": "Other."}}}) is None
    assert take.bus.events[-1][1]["data"]["error"]["code"] == "idempotency_key_reused"


def test_a_cloud_event_of_another_tenant_with_the_same_id_is_a_job_of_its_own(take: Door) -> None:
    take.world.register({"pk": "SOURCE#123456789012#hostile", "sk": "SOURCE", "tenant": "hostile"})
    take.world.tenant("hostile")
    first = take(detail={**ENVELOPE, "data": CHAT})
    theirs = take(id="e-2", source="hostile", detail={**ENVELOPE, "data": CHAT})
    assert first and theirs
    assert theirs.head.id != first.head.id and theirs.head.tenant == "hostile"


def test_a_cloud_event_may_ask_for_a_document_once(take: Door) -> None:
    place = {"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}}
    for number in range(2):
        assert take.take({**EVENT, "id": f"e-{number}", "detail": {**ENVELOPE, "data": place}}) == "acme"
    assert len({known for _, _, known, _ in take.documents}) == 1


@pytest.mark.parametrize(
    ("detail", "param"),
    [
        ({**ENVELOPE, "data": CHAT, "specversion": "0.3"}, "specversion"),
        ({**ENVELOPE, "data": CHAT, "source": ""}, "source"),
        ({**ENVELOPE, "data": CHAT, "id": 17}, "id"),
        ({**ENVELOPE, "data_base64": "e30="}, "data_base64"),
        (ENVELOPE, "data"),
        ({**ENVELOPE, "data": CHAT, "datacontenttype": "text/xml"}, "datacontenttype"),
        ({**ENVELOPE, "data": CHAT, "Modle": "x"}, "Modle"),
        ({**ENVELOPE, "data": {**CHAT, "modle": "x"}}, "modle"),
        ({**ENVELOPE, "data": CHAT, "extra": {"a": 1}}, "extra"),
        ({"specversion": None}, "specversion"),
    ],
)
def test_what_is_no_cloud_event_is_rejected_by_the_name_of_the_field(take: Door, detail: Any, param: str) -> None:
    assert take(detail=detail) is None
    ((_, told),) = take.bus.events
    assert told["data"]["error"]["param"] == param
    assert take.rejections.kept[0][1].startswith("invalid_field: ")


@pytest.mark.parametrize("name", ["id", "account", "source"])
@pytest.mark.parametrize("value", [None, 7, 1.5, True, "", [], {"a": 1}, "\ud800", "x" * 257])
def test_an_event_that_no_bus_gives_is_rejected_in_words_that_can_be_told(take: Door, name: str, value: Any) -> None:
    assert take({**EVENT, name: value}) is None
    ((kind, detail),) = take.bus.events
    check_event({"source": "inference.broker", "detail-type": kind, "detail": detail})
    assert detail["data"]["error"]["param"] == name
    json.dumps(detail, ensure_ascii=False).encode()


@pytest.mark.parametrize("half", [{"id": "\ud800"}, {"source": "\udfff"}])
def test_half_a_character_in_a_cloud_event_is_no_crash(take: Door, half: dict[str, str]) -> None:
    assert take(detail={**ENVELOPE, **half, "data": CHAT}) is not None
