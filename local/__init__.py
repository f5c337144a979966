"""The embedded cloud and what it stands in for on a laptop."""
