"""What a call asks for, made once: by its key, or by which of its tries it is.

Jobs have a way of their own (`jobs.accepting`), for what was held for one that was refused has to be given back. All
else that calls make is checked before it is kept, and written on condition that it is not there, so tries that are here
at once make one thing.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from broker.jobs import idempotency, repeats
from broker.jobs.idempotency import KEEP_MS, Once
from broker.storage import Database

Made = TypeVar("Made")


def once(
    database: Database,
    tenant: str,
    document: dict[str, Any],
    own: str,
    now: int,
    find: Callable[[str], Made | None],
    make: Callable[[str], Made],
    *,
    key: str | None = None,
    keep_ms: int = KEEP_MS,
    attempt: repeats.Attempt | None = None,
) -> Once[Made]:
    """Make what a call asks for; or, of a repeat, give what there is.

    Args:
        database: the tables.
        tenant: who asks.
        document: what is asked; a key stands for it and nothing else.
        own: the id that a new one would get.
        now: milliseconds.
        find: what there is of an id, once it is whole.
        make: makes it under an id; goes on with what another try of the call left, or gives what that made.
        key: the client's, if it named one.
        keep_ms: how long that is remembered.
        attempt: which try of what call this is, where there is no key.

    Raises:
        InvalidRequest: and its kin, as `idempotency.reserve` and `make` do.
    """
    if attempt is None:
        return idempotency.once(database, tenant, key, document, own, now, find, make, keep_ms)
    mark = repeats.take(database, tenant, attempt, own, now)
    if not mark.is_new and (there := find(mark.job_id)) is not None:
        return Once(there, repeated=True)
    return Once(make(mark.job_id))
