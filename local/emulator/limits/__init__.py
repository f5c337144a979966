"""AWS's limits, which MiniStack 1.5.33 has in part: what is too large, too long, too many at a time or not there.

Each module is about one service and changes MiniStack in memory; `figures` has the figures, with AWS's pages for them.
MiniStack itself has those of SQS (a message and a batch of 1 MiB, visibility, receive counts), of SNS (256 KiB) and
most of DynamoDB's: items of 400 KB, transactions of 100 items and 4 MB, batches of 25 and 100, pages of 1 MB.
"""

import sys

from local.emulator import processes
from local.emulator.limits import concurrency, ends, invocations, messages, missing_keys, rest_api, states, transactions


def patch() -> None:
    """Change MiniStack in memory, before it starts and before `speed` and `processes` do.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    for each in (invocations, concurrency, rest_api, states, messages, missing_keys, transactions):
        each.patch()
    # Elsewhere nothing is forked, and the kernel counts in other units.
    ends.patch(limit_memory=processes.FORKS and sys.platform == "linux")
