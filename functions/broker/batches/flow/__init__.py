"""What moves a batch: its workflow, its stops, the look of the sweep, and what is told of it."""
