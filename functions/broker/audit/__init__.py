"""The audit trail: who did what, in blocks that name the one before them by its hash.

`notes` collects what doors see, `chain` makes and checks blocks, `appending` writes them, `reading` finds them again;
`cloud.audit_changes` reads what tables' streams tell. A record has ids, names and small facts, never a payload.
"""
