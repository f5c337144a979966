"""What the broker knows: one room for each part of a job's way."""
