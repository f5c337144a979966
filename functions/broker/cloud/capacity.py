"""What Lambda lets an account run at a time."""

from typing import Any

JOBS_PART = 0.8
"""Of the functions that may run: each job that runs takes one, and the rest takes, tells and reads jobs."""


def jobs_at_once(client: Any) -> int:
    """How many jobs may run at once, of an account's functions that are not kept for some (`client` is Lambda's)."""
    limits = client.get_account_settings()["AccountLimit"]
    return max(1, int(limits["UnreservedConcurrentExecutions"] * JOBS_PART))
