"""Erasing what an ended job holds of its prompt, answer and metadata."""

from collections.abc import Callable
from contextlib import suppress

from broker.errors import Conflict, DeliveryBusy, InvalidRequest
from broker.jobs.call_transitions import late_calls
from broker.jobs.head import Head
from broker.jobs.store import ERASED, FEEDBACK, TRIES, Jobs, Payloads
from broker.storage import If, Item, Update


def erase(
    jobs: Jobs,
    payloads: Payloads,
    forget: Callable[[str], None],
    erase_turn: Callable[[str, str, str], None],
    head: Head,
) -> None:
    """Delete what an ended job holds of its prompt, answer and metadata; the record of it stays. May be repeated.

    What it gave to the cache goes too, by `forget`, and what it added to its conversation, by `erase_turn` (tenant,
    conversation, job). A job that is still running cannot be erased; one that was canceled adds nothing any more.

    Raises:
        InvalidRequest: the job has not ended.
        DeliveryBusy: all is erased but the webhook's address, for attempts at it are under way; erase again.
    """
    if not head.status.terminal:
        raise InvalidRequest("Cancel the job before you erase it.", code="not_ended", param="id")
    ends = {key: facts for key in head.open_calls if (facts := payloads.facts(head.id, f"OUTPUT#{key}"))}
    if ends:  # what an answer cost that no run has settled yet is kept with it, and nowhere else
        with suppress(Conflict):
            head = jobs.change(head.id, lambda current: late_calls(current, ends), known=head)
    payloads.erase(head.id)
    if head.conversation is not None:
        erase_turn(head.tenant, head.conversation, head.id)
    notes = jobs.notes(head.id)
    if "CACHE" in notes:
        forget(head.id)
    deliveries = {name: note for name, note in notes.items() if name.startswith("DELIVERY#")}
    address = notes.get("ASKED", {}).get("webhook_url")
    # An address may hold a token. It stays as long as the webhook is to be sent, and goes with the last attempt.
    end = f"job.{head.status}"
    waits = address and f"DELIVERY#{end}" not in deliveries and end in head.webhook
    jobs.note(head, "ASKED", {"metadata": {}, **({"webhook_url": address, "erased": True} if waits else {})})
    jobs.note(head, ERASED, {})
    for name, note in jobs.notes(head.id, FEEDBACK).items():  # after it: whoever gives a comment later sees that
        if "comment" in note:
            jobs.note(head, name, without_comment(note))
    if deliveries:
        _forget_addresses(jobs, head)


def without_comment(note: Item) -> Item:
    """What is kept of feedback on a job that was erased."""
    return {name: note[name] for name in note.keys() - {"pk", "sk", "comment"}}


def _forget_addresses(jobs: Jobs, head: Head) -> None:
    """Delete the addresses of deliveries that have ended, and have the last attempt at each other one do so."""
    for _ in range(TRIES):
        kept = [note for note in jobs.notes(head.id, "DELIVERY#").values() if "url" in note and "erased" not in note]
        if all(jobs.write_beside(head, forgotten(note)) for note in kept):
            return
        head = jobs.get(head.id)  # an attempt began or ended in between, or a late call was settled
    raise DeliveryBusy("An attempt at the job's webhook is under way; erase it again.", param="id", retry_after=1)


def forgotten(note: Item) -> Update:
    """The write by which a delivery, as it was read, forgets its address: now, or with its last attempt."""
    ended = ("url",) if note["state"] != "pending" else ()
    as_found = (If("tries", "=", note["tries"]), If("state", "=", note["state"]))
    return Update("jobs", note["pk"], note["sk"], set={"erased": True}, remove=ended, when=as_found)
