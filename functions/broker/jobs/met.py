"""What became of a job's calls to a model, as far as it says something of the model's limits."""

from typing import NamedTuple

WINDOW_MS = 60_000
"""What became of calls is of interest for so long."""

FEWEST = 5
"""Calls of which something has to be known before anything is decided."""


class Met(NamedTuple):
    """What became of a job's calls to the model."""

    at: int
    """When the job was started."""
    tenant: str
    refused: bool
    pause_ms: int = 0
    """That the provider asked for."""
