"""The published contract as models: what the code sends, field by field.

No function loads this room. `broker.schemas` makes the files in `schemas/` from it, and the contract tests hold what
the code really sends against it.
"""
