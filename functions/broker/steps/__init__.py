"""The steps of the inference workflow: each composes rooms, is fenced by the run, and may be repeated."""
