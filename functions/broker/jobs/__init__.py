"""A job's life: its request, its head, the legal transitions, and the use cases that move it."""
