"""Batches: rows of requests as one piece of work, from one row to a million.

    rows ──► plan: shards of a hundred rows ──► released, some at a time ──► each row a job ──► counted by shard
                                                       ▲                                             │
                                                       └── as shards get light ◄─────────────────────┤
    output and errors ◄── assembled ◄── collected, shard by shard ◄──────────────────────────────────┘

A batch is one small item, and each of its shards another in a partition of its own, so no item is written by everybody.
The batch's item changes when a shard begins, gets light or has ended, and never for a row.

`asking/` is the way in, `rows/` from the file to jobs, `results/` from jobs to files, `flow/` what moves a batch,
`documents/` batches whose rows are stages of a recipe.
"""
