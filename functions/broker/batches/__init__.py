"""Batches: rows of requests as one piece of work, from one row to a million.

    rows ──► plan: shards of a hundred rows ──► released, some at a time ──► each row a job ──► counted by shard
                                                       ▲                                             │
                                                       └── as shards get light ◄─────────────────────┤
    output and errors ◄── assembled ◄── collected, shard by shard ◄──────────────────────────────────┘

A batch is one small item, and each of its shards another in a partition of its own, so no item is written by everybody.
The batch's item changes when a shard begins, gets light or has ended, and never for a row.
"""
