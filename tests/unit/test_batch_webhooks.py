"""Webhooks of batches are delivered as jobs' are: on record, by the schedule, again on request."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.errors import InvalidRequest
from broker.inbox.file_work import FileWork
from broker.storage import Item

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.world import BASE_URL, HOUR, SECOND

URL = "https://hooks.example/1"
NAME = "DELIVERY#batch.completed"
OK, BROKEN, GONE = (Sent(status, None, None, 7) for status in (204, 500, 410))


@dataclass
class Courier:
    """A batch that has ended, and who brings its webhook."""

    script: list[Sent] = field(default_factory=list)
    posts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    flow: Flow = field(default_factory=Flow)

    def __post_init__(self) -> None:
        self.flow.begin(jsonl(chat("a"), "{"), asked={"webhook": {"url": URL}})
        self.flow.finish()

    @property
    def deliver(self) -> Deliver:
        world = self.flow.world
        return Deliver(world.database, world.jobs, self.flow.deliveries, self._send, lambda note, sent: None)

    def _send(self, tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
        assert (tenant, url) == ("acme", URL)
        self.posts.append((url, event_id, json.loads(body)))
        return self.script.pop(0) if self.script else OK

    def __call__(self, now: int = 0) -> str:
        return self.deliver("batch_1", NAME, now or self.flow.now, BASE_URL)

    @property
    def note(self) -> Item:
        (note,) = self.flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#")
        return note


def test_its_end_goes_out_with_what_came_of_it_and_where_its_results_are() -> None:
    courier = Courier()
    assert courier() == "delivered"
    ((_, event_id, body),) = courier.posts
    assert (event_id, body["type"]) == ("evt_1_completed", "batch.completed")
    assert body["data"]["id"] == "batch_1"
    assert (body["data"]["counts"]["succeeded"], body["data"]["counts"]["rejected"]) == (1, 1)
    assert body["data"]["output_file_id"] and body["data"]["error_file_id"]
    assert courier() == "delivered", "a doubled message sends nothing"
    assert len(courier.posts) == 1


def test_every_attempt_is_on_record_and_tried_again_by_the_schedule() -> None:
    courier = Courier([BROKEN])
    assert courier() == "pending"
    assert [each["status"] for each in courier.note["attempts"]] == [500]
    assert courier.flow.deliveries.sent[-1][:3] == ("batch_1", "acme", NAME)
    assert courier(courier.note["due_at"] + SECOND) == "delivered"
    assert len({event_id for _, event_id, _ in courier.posts}) == 1


def test_the_sweep_asks_again_for_one_whose_message_was_lost() -> None:
    courier = Courier()
    courier.flow.deliveries.sent.clear()
    item = {"pk": "BATCH#batch_1", "sk": f"NOTE#{NAME}"}
    assert not courier.deliver.resend(item, courier.flow.now)
    assert courier.deliver.resend(item, courier.flow.now + HOUR)
    assert courier.flow.deliveries.sent == [("batch_1", "acme", NAME, 0)]


def test_it_can_be_sent_once_more_with_the_same_id() -> None:
    courier = Courier([GONE])
    assert courier() == "disabled"
    assert courier.deliver.redeliver("batch_1", courier.flow.now + HOUR) == ["evt_1_completed"]
    assert courier(courier.flow.now + HOUR) == "delivered"
    assert [event_id for _, event_id, _ in courier.posts] == ["evt_1_completed"] * 2
    assert len(courier.note["attempts"]) == 2


def test_a_batch_without_a_webhook_or_that_wants_others_has_none_to_send() -> None:
    for asked in ({}, {"webhook": {"url": URL, "events": ["batch.failed"]}}):
        flow = Flow()
        flow.begin(jsonl(chat("a")), asked=asked)
        flow.finish()
        assert flow.deliveries.sent == []
        with pytest.raises(InvalidRequest) as failure:
            Deliver(flow.world.database, flow.world.jobs, flow.deliveries, _never, lambda note, sent: None).redeliver(
                "batch_1", flow.now
            )
        assert failure.value.code == "no_deliveries"


def _never(tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
    raise AssertionError(url)


def test_files_of_the_inbox_and_batches_are_told_apart_though_their_records_are_alike() -> None:
    flow = Flow()
    flow.world.database.write(FileWork.new("batch_9", "acme", "acme/a.txt", "summarize", 1, flow.now).put())
    assert flow.batches.find("batch_9") is None
    assert not flow.look("batch_9", flow.now + 24 * HOUR)
    assert FileWork.load(flow.world.database, "batch_9") is not None
