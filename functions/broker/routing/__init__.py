"""Which models there are, which of them may do a job, and why."""
