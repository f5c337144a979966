"""Stored prompt templates: read by id, filled with variables."""
