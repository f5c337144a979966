"""Files that tenants put here to work on, and that work leaves for them: records, their bounds, and their ends."""
