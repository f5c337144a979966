"""Answers in the bodies of webhooks: for endpoints that ask for them, as far as they fit."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.contract.webhook_bodies import WebhookBody
from broker.delivery.delivering import MOST_BYTES
from broker.endpoints.record import NewEndpoint
from broker.jobs.head import Head, Status
from broker.jobs.store import Linked
from broker.storage import Put

from tests.fakes.world import BASE_URL, NOW
from tests.unit.endpoints.endpoints_case import URL, Posted, Shop
from tests.unit.rest_door import Door

ANSWER = {"text": "The lamp needed nobody.", "finish_reason": "stop"}


def told(answer: Any, *, full: bool = True, event: str = "job.*", **changes: Any) -> Posted:
    """What is sent of a job that ended with this answer."""
    shop = Shop()
    new = NewEndpoint("native", URL, ("job.succeeded", "job.failed", "job.held"), "", full=full)
    shop.endpoints.register("acme", new, "we_1", NOW)
    head = shop.end(**changes)
    if answer is not None:
        head = replace(head, output="OUTPUT#1.1")
        shop.world.payloads.save(head, "OUTPUT#1.1", answer)
        shop.world.database.write(Put("jobs", head.to_item()))

    def load(of: Head) -> Any:
        return shop.world.payloads.load(of.id, str(of.output))

    link = Linked("https://bucket.example.com/answer", 9_000_000, "application/json")
    ((owner, _, name, _),) = shop.queue.sent
    deliver = replace(shop.deliver, answer=load, link=lambda of: link if of.linked else None)
    assert deliver(owner, name, NOW, BASE_URL) == "delivered"
    WebhookBody.model_validate(shop.posts[0].told)
    return shop.posts[0]


def test_an_answer_that_fits_is_in_the_body() -> None:
    assert told(ANSWER).told["data"]["output"] == ANSWER


def test_an_endpoint_that_did_not_ask_is_told_none() -> None:
    assert "output" not in told(ANSWER, full=False).told["data"]


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_the_bound_is_that_of_the_whole_body(more: int, fits: bool) -> None:
    empty = len(told({"text": ""}).body)
    post = told({"text": "x" * (MOST_BYTES - empty + more)})
    assert (post.told["data"]["output"] is not None) is fits
    assert len(post.body) <= MOST_BYTES
    assert post.told["data"]["url"]


def test_letters_that_take_more_bytes_count_as_what_they_take() -> None:
    post = told({"text": "ä" * 100_000})
    assert len(post.body) <= MOST_BYTES and post.told["data"]["output"] is None


def test_an_answer_that_is_given_out_by_a_link_is_linked() -> None:
    data = told(ANSWER, linked=True).told["data"]
    assert (data["output"], data["output_url"]) == (None, "https://bucket.example.com/answer")


def test_a_job_without_an_answer_has_none() -> None:
    error = {"type": "internal_error", "code": "c", "message": "m"}
    assert "output" not in told(None, status=Status.FAILED, error=error).told["data"]


def test_the_choice_is_registered_changed_and_shown() -> None:
    door = Door()
    body = {"url": URL, "events": ["job.*"], "payload": "full"}
    mine = door("POST", "/webhooks", json.dumps(body)).body
    assert mine["payload"] == "full"
    changed = door("PATCH", "/webhooks/{id}", '{"payload": "thin"}', job_id=mine["id"]).body
    assert changed["payload"] == "thin"
    assert door.fails("POST", "/webhooks", json.dumps(body | {"payload": "fat"})).param == "payload"
    theirs = {"url": URL, "events": ["*"], "format": "openai", "payload": "full"}
    assert door.fails("POST", "/webhooks", json.dumps(theirs)).param == "payload"
