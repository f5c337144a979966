"""What webhooks tell of: a job, a batch, or for a test the endpoint itself. Deliveries are notes in its partition."""

from broker.jobs.head import job_pk
from broker.storage import Database, Item

BATCH = "batch_"
"""What ids of batches begin with."""


ENDPOINT = "we_"
"""What ids of registered endpoints begin with."""


def owner_pk(owner: str) -> str:
    """The partition of a job, a batch or an endpoint, by its id."""
    if owner.startswith(ENDPOINT):
        return f"ENDPOINT#{owner}"
    return f"BATCH#{owner}" if owner.startswith(BATCH) else job_pk(owner)


def owner_of(item: Item) -> str:
    """The id of the job or the batch that an item belongs to, from its partition key (all that the indexes hold)."""
    return str(item["pk"]).partition("#")[2]


def notes_of(database: Database, owner: str, prefix: str) -> dict[str, Item]:
    """Its notes by their names, which begin with `prefix`."""
    found = database.query("jobs", owner_pk(owner), f"NOTE#{prefix}")
    return {item["sk"].removeprefix("NOTE#"): item for item in found}
