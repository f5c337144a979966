"""Files as work: a file in the inbox becomes jobs, which are counted, and their results become one file again.

    inbox ──► split ──► jobs ──► count (publish, as each job ends) ──► collect ──► outbox, BatchCompleted

An object's key is `{tenant}/{name}`: the tenant is the first segment, and nothing in the file can name another. Who may
write below which segment is IAM's matter: a tenant's systems get `s3:PutObject` on `{inbox}/{tenant}/*`,
`s3:GetObject` on `{outbox}/{tenant}/*` and the use of the stack's key through S3, and nobody gets more.
"""
