"""Invoke Model: the answer of one candidate, made to fit its window, and asked for once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.cache.sharing import Leading
from broker.clock import now_ms
from broker.errors import BadOutput, BrokerError, CircuitOpen, Conflict, ContextExceeded, InvalidRequest, Unavailable
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.routing.catalog import Models
from broker.routing.models import Model
from broker.steps.calling import Calling, of_run, timeout_s
from broker.steps.context import Run, enter, material
from broker.steps.sharing import Share
from broker.steps.shortening import Shorten

EMBEDS = "embed"

MOST_TRIES = 2
"""Calls of one model in one run that end in the same failure: the first, and one repeat or repair."""


@dataclass(frozen=True, slots=True)
class InvokeModel:
    """Asks one candidate of one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    calling: Calling
    shorten: Shorten
    share: Share

    def __call__(self, run: Run, model_id: str, now: int) -> dict[str, Any]:
        """Make the call, unless its answer is there already; or ask after one that goes on by itself.

        Returns:
            `{"output", "facts"}`: the payload's name, and the call's facts by the long names of `jobs.calls`; with
            `"given": True` where another job made the call.

        Raises:
            Pending: the provider goes on by itself, or an identical job makes the call.
            BrokerError: by the error table; `Conflict` when the run is stale or the job ended meanwhile (the call is
                then paid for all the same).
        """
        try:
            head = enter(self.jobs, run)
        except Conflict:
            self._stop(run, now)
            raise
        for key in head.open_calls:
            name = f"OUTPUT#{key}"
            if (kept := self.payloads.facts(head.id, name)) and "purpose" not in kept:
                return {"output": name, "facts": kept}
        request = material(self.payloads, run.id)
        going_on = self._going_on(head, now)
        if going_on is not None:
            model = self.models.get(head.calls[going_on]["m"], now)
            return self.calling.look(run, head, going_on, model, request, now)
        model = self.models.get(model_id, now)
        mine = of_run(head, run)
        self._check_window(model, mine, now)
        try:
            return self._ask(run, head, model, mine, request, now)
        except CircuitOpen as error:  # nothing was sent, so no attempt tells of it
            self.jobs.note(run, f"SKIPPED#{run.fence.run}#{model.id}", {"model": model.id, "why": error.message})
            raise

    def _ask(
        self,
        run: Run,
        head: Head,
        model: Model,
        mine: dict[str, dict[str, Any]],
        request: dict[str, Any],
        now: int,
    ) -> dict[str, Any]:
        _check_tries(model, mine)
        turn = self.share.join(run, head, request, model, timeout_s(model, head, now), now)
        if isinstance(turn, dict):
            return turn
        try:
            head, fitted = self.shorten(run, head, model, request, now)
            told = self.calling.make(run, head, model, fitted, now)
        except BrokerError as error:
            if isinstance(turn, Leading):
                self.share.failed(turn, error, now_ms())
            raise
        if isinstance(turn, Leading):
            self.share.brought(turn, run, told)
        return told

    def embed(self, run: Run, model_id: str, text: str, now: int) -> list[float]:
        """The embedding of a text, by a call beside the job's own.

        Raises:
            BrokerError: by the error table.
        """
        model = self.models.get(model_id, now)
        if EMBEDS not in model.tasks or model.asynchronous:
            raise InvalidRequest(f"{model_id!r} gives no embeddings.", code="no_embedding_model")
        request: dict[str, Any] = {"task": EMBEDS, "input": {"text": text}, "parameters": {"max_output_tokens": 1}}
        vectors: list[list[float]] = self.calling.aside(run, model, request, EMBEDS, now).get("embeddings") or [[]]
        return vectors[0]

    def _stop(self, run: Run, now: int) -> None:
        """Stop what this run had begun for a job that has ended meanwhile; a later run goes on with it."""
        head = self.jobs.get(run.id)
        if not head.status.terminal:
            return
        known = self.models.all(now)
        for key in head.open_calls:
            if model := known.get(head.calls[key]["m"]):
                self.calling.stop(head, key, model)

    def _going_on(self, head: Head, now: int) -> str | None:
        """The call whose work its provider does by itself.

        Also one without a handle, which was lost with the function that began it: it is begun again under its name, and
        a service that starts a name once gives the same work.
        """
        known = self.models.all(now)
        begun = (key for key in head.open_calls if "h" in head.calls[key] or _by_itself(known, head.calls[key]))
        return next(begun, None)

    def _check_window(self, model: Model, mine: dict[str, dict[str, Any]], now: int) -> None:
        for call in mine.values():
            if call.get("o") != ContextExceeded.__name__:
                continue
            if call["m"] != model.id and model.context_window <= self.models.get(call["m"], now).context_window:
                raise ContextExceeded(f"The window of {model.id} is no larger than that of {call['m']}.")


def _by_itself(known: Mapping[str, Model], call: Mapping[str, Any]) -> bool:
    model = known.get(call["m"])
    return model is not None and model.asynchronous


def _check_tries(model: Model, mine: dict[str, dict[str, Any]]) -> None:
    """The workflow repeats a call once, but counts anew when it comes back from a wait; so the calls are counted here.

    Raises:
        CircuitOpen: the model failed in the same way as often as a run may ask it.
    """
    ends = Counter(call.get("o") for call in mine.values() if call["m"] == model.id)
    if any(ends[kind.__name__] >= MOST_TRIES for kind in (BadOutput, Unavailable)):
        raise CircuitOpen(f"{model.id} failed {MOST_TRIES} times for this job.", code="tries_spent")
