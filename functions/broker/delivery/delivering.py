"""Delivering a webhook: signed, to an address that was checked, again by the schedule, every attempt on record."""

import json
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from broker.delivery.events import held_body, webhook_body
from broker.delivery.owners import notes_of, owner_of
from broker.delivery.receivers import AllAtOnce, Slot, Slots
from broker.delivery.schedule import next_attempt, verdict
from broker.delivery.sending import Destination, NoneRegistered, Registered, Sender, Sent
from broker.delivery.starting import SAFETY_MS, Deliveries
from broker.errors import BrokerError, DeliveryBusy, InvalidRequest
from broker.jobs.head import Head, due_partition
from broker.jobs.store import Jobs, Linked
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

SENT_MS = 86_400_000
"""After so long the sweep asks again for a delivery that it is known to have asked for. Its message waits in a queue:
SQS keeps it for four days."""

PUT_OFF_S = 15
MOST_PUT_OFF = 400
"""A delivery whose receiver has no slot left comes again after so long, and twice as long each time, up to what a
message may wait; so often, which is some three days, as the whole schedule is. Then it is given up."""

MOST_BYTES = 262_144
"""Of a body with an answer in it; in a larger one the answer is null, and fetched by the job's URL."""

QUEUE_MOST_S = 900
"""The longest delay of an SQS message; a later attempt waits in the due index."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """One attempt at one delivery, and what follows from it."""

    database: Database
    jobs: Jobs
    queue: Deliveries
    send: Sender
    observe: Callable[[Item, Sent], None]
    on_gone: Callable[[str, str], None] = lambda owner, name: None
    """Told of a delivery whose job or batch is gone, by its id and the note's name."""
    slots: Slots = field(default_factory=AllAtOnce)
    """Whose receivers may be attempted now."""
    chance: Callable[[], float] = random.random
    """From 0 to 1: receivers that failed together should not be called together."""
    link: Callable[[Head], Linked | None] = lambda head: None
    """Gives a link to a job's answer; asked for where it is given out by one."""
    answer: Callable[[Head], Any] = lambda head: None
    """Gives a job's answer, for receivers that are told it; None where it is not kept any more."""
    registered: Registered = field(default_factory=NoneRegistered)
    """The endpoints that deliveries may name in an address's place."""
    on_exhausted: Callable[[str, Item], None] = lambda owner, note: None
    """Told of a delivery whose schedule is over, before that is on record; may be told again."""

    def __call__(self, owner: str, name: str, now: int, base_url: str) -> str:
        """Attempt the delivery kept as the note `name`, unless another attempt owns it.

        Args:
            owner: the id of the job, the batch or the endpoint.
            name: of the note.
            now: milliseconds.
            base_url: of the REST API, for the links of the body.

        Returns:
            Its state: `delivered`, `pending` (also where its receiver has no slot left), `failed` (given up),
            `disabled` (the receiver said 410, or its endpoint takes nothing), or `gone` with its job, whose record
            was over.
        """
        note = notes_of(self.database, owner, name).get(name)
        if note is None:
            self.on_gone(owner, name)
            return "gone"
        if note["state"] != "pending":
            return str(note["state"])
        then = max(note.get("busy_until", 0), note.get("not_before", 0))
        if then > now:  # a doubled message brings no attempt forward
            if note["due_at"] > then + SAFETY_MS:  # the sweep took it for the one that would make the attempt
                self._look_again(note, then + SAFETY_MS)
            return "pending"
        if "fan" in note:
            self.registered.fan_out(owner, note, now)
            return self._end(note, "delivered")
        to = self._destination(owner, name, note)
        if to is None:
            return self._end(note, "disabled")
        with self.slots.slot(note["tenant"], to.url) as slot:
            if slot is None:
                return self._put_off(owner, name, note, now)
            return self._attempt(owner, name, note, to, slot, now, base_url)

    def _destination(self, owner: str, name: str, note: Item) -> Destination | None:
        if "endpoint" not in note:
            return Destination(note["url"])
        if not note["tries"]:
            self.registered.begins(owner, name, note)
        return self.registered.destination(note)

    def _end(self, note: Item, state: str) -> str:
        with suppress(ConditionFailed):  # an attempt has begun meanwhile, or its job was erased: it comes again
            self._write(_ended(note | {"state": state}), note["tries"])
        return state

    def _attempt(self, owner: str, name: str, note: Item, to: Destination, slot: Slot, now: int, base_url: str) -> str:
        claimed = note | {"tries": note["tries"] + 1, "busy_until": now + SAFETY_MS, "due_at": now + SAFETY_MS}
        try:
            self._write(claimed, note["tries"])
        except ConditionFailed:
            return "pending"  # another attempt is under way
        head = None if "body" in claimed else self.jobs.find(owner)
        if head is None and "body" not in claimed:  # the table's TTL deletes items one by one
            self._write(_ended(claimed | {"state": "failed"}), claimed["tries"])
            self.on_gone(owner, name)
            return "gone"
        sent = slot.timed(lambda: self._send(head, claimed, to, now, base_url))
        settled = self._settle(claimed, sent, now)
        if "endpoint" in note:
            self.registered.attempted(owner, claimed, sent, now)
        if settled["state"] == "failed" and not note.get("test"):
            self.on_exhausted(owner, settled)
        try:
            self._write(settled, claimed["tries"])
        except ConditionFailed:  # the job was erased during the attempt
            settled = _ended(settled | {"erased": True})
            self._write(settled, claimed["tries"])
        self.observe(settled, sent)
        if settled["state"] == "pending":
            delay = math.ceil((settled["due_at"] - now) / 1000)
            if delay <= QUEUE_MOST_S:
                self.queue.send(owner, note["tenant"], name, delay)
        return str(settled["state"])

    def _put_off(self, owner: str, name: str, note: Item, now: int) -> str:
        """Have it come again later, without an attempt; it is no failure of the receiver's."""
        times = note.get("put_off", 0) + 1
        if times > MOST_PUT_OFF:
            missed = {"at": now, "status": None, "error": "receiver_slow", "latency_ms": 0}
            after = _ended(note | {"state": "failed", "attempts": [*note["attempts"], missed]})
            self.on_exhausted(owner, after)
        else:
            pause_s = min(PUT_OFF_S << min(times - 1, 10), QUEUE_MOST_S) * (1 + self.chance()) / 2
            then = now + round(pause_s * 1000)
            after = note | {"put_off": times, "not_before": then, "due_at": then + SAFETY_MS}
        try:
            self._write(after, note["tries"])
        except ConditionFailed:
            return "pending"  # another attempt is under way
        if after["state"] == "pending":
            self.queue.send(owner, note["tenant"], name, math.ceil(pause_s))
        return str(after["state"])

    def resend(self, item: Item, now: int) -> bool:
        """Queue a delivery that is due (from the sweep); True when it was."""
        name = item["sk"].removeprefix("NOTE#")
        note = notes_of(self.database, owner_of(item), name).get(name)
        if note is None or note["state"] != "pending" or note["due_at"] > now:
            return False
        self.queue.send(owner_of(item), note["tenant"], name)
        self._look_again(note, now + SENT_MS, asked_at=now)
        return True

    def redeliver(self, owner: str, now: int) -> list[str]:
        """Send all webhooks of a job or a batch once more, with their ids; what was attempted before stays on record.

        Returns:
            The ids of the deliveries.

        Raises:
            InvalidRequest: it has no webhook that was due.
            DeliveryBusy: an attempt is under way.
        """
        found = notes_of(self.database, owner, "DELIVERY#")
        # The address goes when it is erased.
        notes = {name: note for name, note in found.items() if "url" in note or "endpoint" in note}
        if not notes:
            raise InvalidRequest("There is nothing that was to be delivered.", code="no_deliveries", param="id")
        for name, note in notes.items():
            if not self.again(owner, name, note, now):
                busy = "An attempt at this delivery is under way; see how it ends first."
                raise DeliveryBusy(busy, param="id", retry_after=1)
        return [note["event_id"] for note in notes.values()]

    def again(self, owner: str, name: str, note: Item, now: int) -> bool:
        """Send one once more, with a schedule of its own; False where an attempt is under way."""
        again = note | {
            "state": "pending",
            "schedule_from": note["tries"],
            "busy_until": 0,
            "not_before": 0,
            "put_off": 0,
            "due": due_partition(owner),
            "due_at": now + SAFETY_MS,
        }
        if note.get("busy_until", 0) > now:
            return False
        try:
            self._write(again, note["tries"])
        except ConditionFailed:
            return False
        self.queue.send(owner, note["tenant"], name)
        return True

    def _send(self, head: Head | None, note: Item, to: Destination, now: int, base_url: str) -> Sent:
        given = {"secrets": to.secrets, "headers": to.headers, "client": to.client}
        own: dict[str, Any] = {} if to.secrets is None else given
        try:
            body = self._body(head, note, to, base_url) if head else str(note["body"])
            return self.send(note["tenant"], to.url, note["event_id"], now, body.encode(), **own)
        except BrokerError as error:
            return Sent(None, error.code, None, 0)

    def _body(self, head: Head, note: Item, to: Destination, base_url: str) -> str:
        if "held" in note:
            told = held_body(head, note["held"], base_url)
        else:
            told = webhook_body(head, base_url, self.link(head) if head.linked else None)
        if "sequence" in note:
            told["data"]["sequence"] = note["sequence"]
        text = _text(told)
        if not to.full or "held" in note or head.output is None:
            return text
        answer = None if head.linked else self.answer(head)
        whole = _text({**told, "data": {**told["data"], "output": answer}})
        fits = len(whole.encode()) <= MOST_BYTES
        return whole if fits else _text({**told, "data": {**told["data"], "output": None}})

    def _settle(self, note: Item, sent: Sent, now: int) -> Item:
        made = note["tries"] - note.get("schedule_from", 0)
        attempts = [
            *note["attempts"],
            {"at": now, "status": sent.status, "error": sent.error, "latency_ms": sent.latency_ms},
        ]
        following = None if note.get("test") else next_attempt(made, now, sent.retry_after_s, self.chance())
        match verdict(sent.status, sent.control) if sent.status else "retry":
            case "delivered":
                state = "delivered"
            case "disable":
                state = "disabled"
            case "abort":
                state = "failed"
            case _:
                state = "pending" if following else "failed"
        settled = note | {
            "attempts": attempts,
            "state": state,
            "busy_until": 0,
            "not_before": following or 0,
            "put_off": 0,
            "due_at": following,
        }
        return _ended(settled)

    def _look_again(self, note: Item, due_at: int, **facts: int) -> None:
        """Set when the sweep looks at it; not where an attempt has begun or ended since."""
        as_found = (If("tries", "=", note["tries"]), If("state", "=", "pending"))
        with suppress(ConditionFailed):
            self.database.write(Update("jobs", note["pk"], note["sk"], set={"due_at": due_at, **facts}, when=as_found))

    def _write(self, note: Item, tries: int) -> None:
        erased = () if "erased" in note else (If("erased", "absent"),)
        self.database.write(Put("jobs", note, (If("tries", "=", tries), *erased)))


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def _ended(note: Item) -> Item:
    """The note as it is kept: without a time where none follows, nor the address of a job that was erased."""
    if note["state"] == "pending":
        return note
    unneeded = {"due", "due_at", *(("url",) if "erased" in note else ())}
    return {name: value for name, value in note.items() if name not in unneeded}
