"""Documents: batches whose rows are the stages of a recipe."""
