"""One fake for each port; `database` and `payloads` pass the same tests as their adapters."""
