"""Invoke Model as the workflow sees it: one candidate is asked, and the step says what comes next."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from broker.consequences import consequence
from broker.errors import BrokerError, Conflict
from broker.jobs.store import Jobs
from broker.steps.building import of_run
from broker.steps.context import Run
from broker.steps.repeating import may_ask

REPEAT_S = 1
"""Seconds before a model that failed is asked once more, and as much again at random."""

Ask = Callable[[Run, str, int, Sequence[str]], dict[str, Any]]
"""`invoking.InvokeModel`."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Takes a run one call further."""

    jobs: Jobs
    ask: Ask

    def __call__(self, run: Run, candidates: Sequence[str], place: int, now: int) -> dict[str, Any]:
        """Ask the candidate at its place.

        Returns:
            `next`, and what belongs to it: `moderate` with the `answer`; `repeat` for the same model at once; `wait`
            with a `pause` in whole seconds, then the same again; `candidate` with its `place`; `end`. All but the
            first and a `wait` for work that goes on tell the `failure` (`errors.BrokerError.failure`).

        Raises:
            Conflict: the run is stale, or the job has ended.
        """
        model, following = candidates[place], candidates[place + 1 :]
        try:
            return {"next": "moderate", "answer": self.ask(run, model, now, following)}
        except Conflict:
            raise
        except BrokerError as error:
            return self._after(error, run, model, place + 1 if following else None)

    def _after(self, error: BrokerError, run: Run, model: str, following: int | None) -> dict[str, Any]:
        row = consequence(type(error))
        if row.then == "wait":
            return {"next": "wait", "pause": error.retry_after}
        failure = {"failure": error.failure()}
        if error.again:
            return failure | {"next": "repeat"}
        if row.repeat != "no" and self._was_asked(run, model, error):
            if row.repeat == "repair":
                return failure | {"next": "repeat"}
            if row.repeat == "once":
                return failure | {"next": "wait", "pause": REPEAT_S + random.randint(0, REPEAT_S)}  # noqa: S311 - jitter
            if error.retry_after is not None:
                return failure | {"next": "wait", "pause": error.retry_after}
        if row.then == "next" and following is not None:
            return failure | {"next": "candidate", "place": following}
        return failure | {"next": "end"}

    def _was_asked(self, run: Run, model: str, error: BrokerError) -> bool:
        """True where the failure is that of a call on record, and the model may be asked again."""
        mine = of_run(self.jobs.get(run.id), run)
        ends = {call.get("o") for call in mine.values() if call["m"] == model}
        return type(error).__name__ in ends and may_ask(model, mine)
