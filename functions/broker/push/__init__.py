"""Push: who listens over a WebSocket is told of changes of jobs and batches, from the jobs table's stream.

    client ──► API Gateway ($connect: authorizer) ──► opening, listening ──► connections of the tenant (ledger)
    jobs table ──► stream ──► telling ──► @connections ──► client

What is told is never more than a look would show, and a look always shows it: push saves polls, it replaces none.
"""
