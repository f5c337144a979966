"""By which status it is told why a job that was waited for has no answer."""

import pytest
from broker import errors
from broker.doors.openai import failure_of
from broker.errors import BrokerError, tree

TREE = [kind for kind in tree() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_error_of_a_job_has_the_status_of_its_type(kind: type[BrokerError]) -> None:
    """A job keeps an error's type and not its class."""
    status, _ = failure_of({"status": "failed", "error": kind("No.").facts()})
    first = next(each for each in kind.__mro__ if "type" in vars(each))
    assert status == {"refused": 400, "context_exceeded": 400}.get(kind.type, first.status)  # type: ignore[attr-defined]
