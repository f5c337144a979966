"""AWS services that do one task each."""
