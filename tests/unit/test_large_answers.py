"""Answers that no reply has room for: what jobs, conversations and webhooks tell in their place."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.context.conversations import Turn
from broker.context.listing import listing
from broker.delivery.events import webhook_body
from broker.jobs.head import Head, Status
from broker.jobs.store import REDACTED, Linked
from broker.json_text import MOST_IN_REPLY, in_reply
from broker.rest.answers import MOST_FILLED, answer_of
from broker.rest.http import Reply
from broker.steps.settling import outcome_of

from tests.contract.world import World as Door
from tests.fakes.conversations import FakeTurns
from tests.fakes.payloads import FakePayloads
from tests.fakes.world import NOW, a_head
from tests.unit.delivering_case import JOB_ID, Courier

MOST_OF_A_REPLY = 6_291_556
"""Bytes. Source: Lambda Developer Guide, "Lambda quotas"."""

NAME = "OUTPUT#1.1"
LARGE = {"text": "x" * MOST_IN_REPLY}
FOUND = {"sk": NAME}


def reply_size(body: Any) -> int:
    return len(json.dumps(Reply(200, body).proxy("r-1"), ensure_ascii=False).encode())


@pytest.mark.parametrize("value", ['"', "\\", "\n", "é", "👋", "x", [1], [[]], {"a": 1}, [""], {"": 0.5}])
def test_what_is_said_to_fit_fits(value: Any) -> None:
    """Replies are written with blanks between, which are not counted."""
    one = len(json.dumps([value], ensure_ascii=False, separators=(",", ":"))) - 1
    many = [value] * (MOST_IN_REPLY // one)
    while in_reply(json.dumps(many, ensure_ascii=False, separators=(",", ":"))) > MOST_IN_REPLY:
        del many[: len(many) // 20 + 1]
    assert reply_size({"output": many}) < MOST_OF_A_REPLY - 200_000, "the other fields of a job have the rest"


def test_a_job_tells_where_its_answer_is() -> None:
    door = Door()
    head = door.ended(Status.SUCCEEDED)
    assert head.output
    door.payloads.save(head, head.output, LARGE)
    head = door.jobs.change(head.id, lambda before: before.next(linked=True))
    reply = door.call("GET", "/jobs/{id}", path={"id": head.id})
    shown = {name: reply.body[name] for name in ("output", "output_bytes", "output_media_type", "erased")}
    assert (reply.status, shown) == (
        200,
        {"output": None, "output_bytes": len(LARGE["text"]) + 11, "output_media_type": "application/json"}
        | {"erased": False},
    )
    assert reply.body["output_url"].startswith("https://")
    assert reply_size(reply.body) < 10_000
    door.payloads.now = head.payloads_until * 1000
    gone = door.call("GET", "/jobs/{id}", path={"id": head.id})
    assert (gone.status, gone.body["output_url"]) == (410, None)


@pytest.fixture
def kept() -> tuple[FakePayloads, Head]:
    payloads = FakePayloads()
    return payloads, a_head(status=Status.SUCCEEDED, output=NAME)


Kept = tuple[FakePayloads, Head]


def test_an_answer_that_is_large_only_with_its_values_is_linked_with_them(kept: Kept) -> None:
    payloads, head = kept
    payloads.save(head, NAME, {"text": "<PERSON_1> " * 1_000})
    payloads.save(head, REDACTED, {"mapping": {"PERSON_1": "Ada " * 1_500}})
    assert isinstance(answer_of(payloads, head, FOUND, filled=False), dict)
    linked = answer_of(payloads, head, FOUND, filled=True)
    assert isinstance(linked, Linked)
    assert linked.url != f"https://files.example/{head.id}/{NAME}"
    payloads.erase(head.id)
    assert payloads.owners() == set(), "it goes with the job"


def test_a_large_answer_without_placeholders_is_linked_as_it_is(kept: Kept) -> None:
    payloads, head = kept
    payloads.save(head, NAME, LARGE)
    assert answer_of(payloads, head, FOUND, filled=True) == payloads.linked(head.id, NAME)
    assert payloads.names(head.id) == [NAME]


def test_what_is_too_large_to_be_filled_in_is_linked_with_its_placeholders(kept: Kept) -> None:
    payloads, head = kept
    payloads.save(head, NAME, {"text": "<PERSON_1>" + "x" * MOST_FILLED})
    payloads.save(head, REDACTED, {"mapping": {"PERSON_1": "Ada"}})
    assert answer_of(payloads, head, FOUND, filled=True) == payloads.linked(head.id, NAME)


class Wordless(FakePayloads):
    """Large answers have numbers alone."""

    def load(self, job_id: str, name: str, item: Any = None, *, fresh: bool = False, words: bool = False) -> Any:
        found = super().load(job_id, name, item, fresh=fresh)
        return {} if words and found is not None and self.linked(job_id, name) else found


def test_numbers_are_linked_for_who_may_see_values_and_are_not_loaded_for_it() -> None:
    payloads, head = Wordless(), a_head(status=Status.SUCCEEDED, output=NAME)
    payloads.save(head, NAME, LARGE)
    assert answer_of(payloads, head, FOUND, filled=True) == payloads.linked(head.id, NAME)
    payloads.erase(head.id)
    assert answer_of(payloads, head, FOUND, filled=True) is None


class ErasedMeanwhile(FakePayloads):
    """The job is erased while a filled answer is written."""

    def save(self, job: Any, name: str, *rest: Any, **more: Any) -> Any:
        saved = super().save(job, name, *rest, **more)
        if name.endswith("=filled"):
            self.drop(job.id, NAME)
        return saved


def test_nothing_is_left_of_what_was_filled_in_for_a_job_that_was_just_erased() -> None:
    payloads, head = ErasedMeanwhile(), a_head(status=Status.SUCCEEDED, output=NAME)
    payloads.save(head, NAME, {"text": "<PERSON_1>" + "x" * MOST_IN_REPLY})
    payloads.save(head, REDACTED, {"mapping": {"PERSON_1": "Ada"}})
    assert answer_of(payloads, head, FOUND, filled=True) is None
    assert payloads.names(head.id) == [REDACTED]


def test_only_the_head_of_a_large_answer_says_so() -> None:
    facts = {"model": "small", "input_tokens": 1}
    for linked in ({}, {"linked": True}):
        outcome = outcome_of({"answer": {"output": NAME, "facts": facts | linked}})
        assert outcome.linked is linked.get("linked")


def test_a_webhook_has_a_link_where_the_answer_is_large_and_asks_for_none_where_it_is_not() -> None:
    link = Linked("https://files.example/a", 5_000_000, "application/json")
    asked: list[str] = []

    def linked(head: Head) -> Linked:
        asked.append(head.id)
        return link

    for large in (None, True):
        courier = Courier()
        courier.world.jobs.change(JOB_ID, lambda head, large=large: head.next(linked=large))  # type: ignore[misc]
        replace(courier.deliver, link=linked)(JOB_ID, "DELIVERY#job.failed", NOW)
        told = json.loads(courier.posts[0][4])["data"]
        assert told.get("output_url") == (link.url if large else None)
        assert ("output_bytes" in told) is bool(large)
    assert asked == [JOB_ID]
    assert "output_url" not in webhook_body(a_head(status=Status.SUCCEEDED, ended_at=NOW))["data"]


def turns_of(*sizes: int) -> FakeTurns:
    turns = FakeTurns()
    for number, size in enumerate(sizes, 1):
        message = {"role": "user", "content": "x" * size}
        turns.keep("acme", "c1", Turn(f"job_{number:032x}", NOW + number, 1, [message]), a_head().payloads_until)
    return turns


def pages(turns: FakeTurns) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        page = listing(turns, "acme", "c1", limit=100, cursor=cursor, now=NOW)
        assert reply_size(page) < MOST_OF_A_REPLY
        found.append(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_page_of_turns_ends_before_a_reply_is_full() -> None:
    assert [len(page) for page in pages(turns_of(*[1_500_000] * 5))] == [2, 2, 1]


def test_a_turn_that_no_reply_has_room_for_has_a_link_and_hides_no_other() -> None:
    (page,) = pages(turns_of(10, MOST_IN_REPLY, 20))
    assert [bool(row["messages"]) for row in page] == [True, False, True]
    assert [row["messages_url"] is None for row in page] == [True, False, True]
    assert page[1]["messages_bytes"] == MOST_IN_REPLY + len('[{"role":"user","content":""}]')
