"""The reader of the stream that pushes: there while a test asks for it, for the others it would be work for nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.deployment import Cloud

FUNCTION = "PushFunction"
KEPT = ("FunctionArn", "EventSourceArn", "StartingPosition", "BatchSize", "ParallelizationFactor", "FilterCriteria")
_readers: dict[str, dict[str, Any]] = {}
"""By cloud, as the template made it."""


def set_aside(cloud: Cloud) -> None:
    """Take the reader away, and remember how it was."""
    functions = cloud.client("lambda")
    for each in functions.list_event_source_mappings()["EventSourceMappings"]:
        if FUNCTION in each["FunctionArn"]:
            made = {name: each[name] for name in KEPT if name in each}
            _readers[cloud.url] = {"FunctionName": made.pop("FunctionArn"), **made}
            functions.delete_event_source_mapping(UUID=each["UUID"])


@contextmanager
def pushing(cloud: Cloud) -> Iterator[None]:
    """Have it, from what happens now on."""
    functions = cloud.client("lambda")
    reader = functions.create_event_source_mapping(**_readers[cloud.url])
    try:
        yield
    finally:
        functions.delete_event_source_mapping(UUID=reader["UUID"])
