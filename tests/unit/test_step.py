"""What a step of the workflow answers, and what it raises."""

import json
from typing import Any

import pytest
from broker import errors
from broker.consequences import consequence
from broker.errors import BrokerError, Conflict
from broker.steps.context import Run
from handlers.step import step

from tests.fakes.world import NOW

EVENT = {"job_id": "job_1", "tenant": "acme", "run": 1, "execution": "e", "expires_at": 9, "until": NOW}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]


class Context:
    """What Lambda tells a function of its invocation."""

    aws_request_id = "r"
    function_name = memory_limit_in_mb = invoked_function_arn = "x"


def ask(error: BrokerError | None) -> Any:
    def _work(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        if error:
            raise error
        return {"job": run.id}

    return step(_work)(dict(EVENT), Context())


def test_what_went_well_is_the_answer() -> None:
    assert ask(None) == {"job": "job_1"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_workflow_repeats_what_a_repeat_may_mend_and_is_told_the_rest(kind: type[BrokerError]) -> None:
    error = kind("What happened.", code="why", retry_after=3)
    if kind is Conflict or consequence(kind).repeat != "no":
        with pytest.raises(kind) as failure:
            ask(error)
        assert json.loads(str(failure.value)) == error.failure()
        return
    assert ask(error) == {"failure": {"error": kind.__name__, "facts": error.facts(), "retry_after": 3}}


def test_what_nobody_foresaw_is_raised_and_repeated() -> None:
    with pytest.raises(KeyError):
        ask(KeyError("x"))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_no_failure_grows_with_what_it_is_about(kind: type[BrokerError]) -> None:
    """Step Functions takes no cause above 32,768 characters, and a head keeps the errors of all its calls."""
    error = kind("long " * 20_000 + "end", code="c" * 9_000, param="p." * 9_000, retry_after=1)
    assert len(error.cause()) < 2_000
    assert error.message.startswith("long long") and error.message.endswith("end")
