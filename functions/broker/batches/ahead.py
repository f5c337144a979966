"""What of a tenant's own comes before the rows of a batch: open rows of batches that it made earlier.

Of other tenants nothing is told: the lane is fair by tenant, so theirs come beside one's own and not before them.
"""

from broker.batches.batch import Batch
from broker.batches.listing import OPEN, Place, batch_pk
from broker.batches.store import Batches
from broker.storage import Unread

MOST_SEEN = 20
"""Earlier batches that are looked at, the last ones: two reads, of their keys and of their records."""


def earlier(batches: Batches, batch: Batch) -> list[Batch] | None:
    """Those that have not ended; None where the tables are too busy to tell."""
    cursor = {"pk": batch_pk(batch.id), "sk": "BATCH"} | Place.of(batch.id, batch.created_at).keys(
        batch.tenant, is_open=True
    )
    database = batches.database
    page = database.index("tenant", batch.tenant + OPEN, limit=MOST_SEEN, newest_first=True, cursor=cursor)
    try:
        items = database.get_many("jobs", [(item["pk"], "BATCH") for item in page.items]) if page.items else []
    except Unread:
        return None
    return [found for item in items if not (found := Batch.from_item(item)).status.terminal]
