"""How many jobs the account lets run at once, as `dispatch` has read and told it (`jobs.in_flight`)."""

from broker.storage import Database

PK, LIMIT = "IN_FLIGHT", "LIMIT"
"""Its keys in the ledger."""


def told(database: Database) -> int | None:
    """The last that was told; None where nothing was."""
    item = database.get("ledger", PK, LIMIT, eventual=True)
    return int(item["limit"]) if item else None
