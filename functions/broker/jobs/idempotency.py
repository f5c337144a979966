"""Idempotency keys, by draft-ietf-httpapi-idempotency-key-header: one key, one body, one job."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from broker.errors import BrokerError, InvalidRequest, KeyInFlight, KeyReused
from broker.storage import ConditionFailed, Database, If, Put, Update

KEEP_MS = 24 * 3_600_000
"""How long a key is remembered, at most: it stands for its job, and goes with it."""

ACCEPTING_MS = 30_000
"""How long a first request may take; after that a repeat takes over what a crash left behind."""


Made = TypeVar("Made")


class Once(NamedTuple, Generic[Made]):
    """What a request made, and whether it was there already (an idempotent repeat)."""

    made: Made
    repeated: bool = False


def fingerprint(document: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a request."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reservation:
    """A key held for one job. `accepted` is True where the job exists already, `until` is what the key is held by."""

    pk: str
    job_id: str
    accepted: bool
    until: int = 0


def check_key(key: str) -> None:
    """Refuse a key that is none.

    Raises:
        InvalidRequest: it is empty or too long, or has half of a surrogate pair, which no text of bytes has.
    """
    if not 1 <= len(key) <= 255:
        raise InvalidRequest("An Idempotency-Key has 1 to 255 characters.", param="Idempotency-Key")
    if any("\ud800" <= each <= "\udfff" for each in key):
        raise InvalidRequest("An Idempotency-Key is a text of whole characters.", param="Idempotency-Key")


def reserve(
    database: Database, tenant: str, key: str, body: str, job_id: str, now: int, keep_ms: int = KEEP_MS
) -> Reservation:
    """Hold a key for a job, or find the job that it stands for.

    Args:
        database: the tables.
        tenant: keys of different tenants never meet.
        key: the client's, or the id of an event.
        body: the request's `fingerprint`.
        job_id: the id that a new job would get.
        now: milliseconds.
        keep_ms: how long it is remembered.

    Raises:
        InvalidRequest: the key is empty or too long.
        KeyReused: the key stands for another body.
        KeyInFlight: the first request is still being accepted.
    """
    check_key(key)
    pk = f"IDEM#{tenant}#{hashlib.sha256(key.encode()).hexdigest()}"
    until = now + ACCEPTING_MS
    fresh = Reservation(pk, job_id, accepted=False, until=until)
    item = {
        "pk": pk,
        "sk": "IDEM",
        "body": body,
        "job_id": job_id,
        "state": "accepting",
        "until": until,
        "expires_at": (now + keep_ms) // 1000,
    }
    try:
        database.write(Put("jobs", item, (If("pk", "absent"),)))
        return fresh
    except ConditionFailed:
        found = database.get("jobs", pk, "IDEM")
    if found is None or found["expires_at"] * 1000 <= now:
        # Deleted or outlived between the two calls: DynamoDB may take days to delete what has expired.
        as_found = If("expires_at", "=", found["expires_at"]) if found else If("pk", "absent")
        return _take(database, Put("jobs", item, (as_found,)), fresh)
    if found["body"] != body:
        raise KeyReused("This Idempotency-Key was used with another body.", param="Idempotency-Key")
    if found["state"] == "accepted":
        return Reservation(pk, found["job_id"], accepted=True)
    if now < found["until"]:
        raise _in_flight()
    # Of what a crash left behind the id stays: the job may be there. Of what was refused there is none.
    held = replace(fresh, job_id=found.get("job_id", job_id))
    change = {"until": until, "job_id": held.job_id}
    return _take(database, Update("jobs", pk, "IDEM", set=change, when=(If("until", "=", found["until"]),)), held)


def renew(database: Database, gone: Reservation, job_id: str, now: int, keep_ms: int = KEEP_MS) -> Reservation:
    """Hold a key anew whose job is gone.

    Raises:
        KeyInFlight: another repeat was first.
    """
    until = now + ACCEPTING_MS
    facts = {"job_id": job_id, "state": "accepting", "until": until, "expires_at": (now + keep_ms) // 1000}
    as_found = (If("state", "=", "accepted"), If("job_id", "=", gone.job_id))
    anew = Reservation(gone.pk, job_id, accepted=False, until=until)
    return _take(database, Update("jobs", gone.pk, "IDEM", set=facts, when=as_found), anew)


def _take(database: Database, write: Put | Update, reservation: Reservation) -> Reservation:
    """Of several that take a key at once, one gets it."""
    try:
        database.write(write)
    except ConditionFailed:
        raise _in_flight() from None
    return reservation


def _in_flight() -> KeyInFlight:
    return KeyInFlight("The first request with this Idempotency-Key is being accepted.", retry_after=1)


def settle(database: Database, reservation: Reservation) -> None:
    """Say that the job exists."""
    database.write(Update("jobs", reservation.pk, "IDEM", set={"state": "accepted"}, when=(If("pk", "exists"),)))


def free(database: Database, reservation: Reservation, job_id: str) -> bool:
    """Say that the request was refused: the key is free for another try.

    Args:
        database: the tables.
        reservation: of the request.
        job_id: the id that was made for this very request.

    Returns:
        True where nobody else has the reservation's id, nor ever gets it: it was made for this request, and no other
        try has taken the key over meanwhile; the next makes an id of its own. What was kept under it may be dropped.
    """
    own = reservation.job_id == job_id
    freed = Update(
        "jobs",
        reservation.pk,
        "IDEM",
        set={"until": 0},
        remove=("job_id",) if own else (),
        when=(If("until", "=", reservation.until),),
    )
    try:
        database.write(freed)
    except ConditionFailed:  # this request took so long that a repeat took the key over: it is the repeat's now
        return False
    return own


def once(
    database: Database,
    tenant: str,
    key: str | None,
    document: dict[str, Any],
    own: str,
    now: int,
    find: Callable[[str], Made | None],
    make: Callable[[str], Made],
    keep_ms: int = KEEP_MS,
) -> Once[Made]:
    """Make what a request asks for; with a `key`, once.

    Args:
        database: the tables.
        tenant: who asks.
        key: the client's, if it named one.
        document: what is asked; the same key stands for it and nothing else.
        own: the id that a new one would get.
        now: milliseconds.
        find: what there is of an id.
        make: makes it under an id, or gives what is there.
        keep_ms: how long the key is remembered.

    Raises:
        InvalidRequest: and its kin, as `reserve` and `make` do.
    """
    if key is None:
        return Once(make(own))
    held = reserve(database, tenant, key, fingerprint(document), own, now, keep_ms)
    if held.accepted:
        if (there := find(held.job_id)) is not None:
            return Once(there, repeated=True)
        held = renew(database, held, own, now, keep_ms)
    if held.job_id != own and (there := find(held.job_id)) is not None:
        settle(database, held)  # the first try crashed after its commit
        return Once(there, repeated=True)
    try:
        made = make(held.job_id)
    except BrokerError:
        free(database, held, own)
        raise
    settle(database, held)
    return Once(made)
