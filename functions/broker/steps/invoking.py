"""Invoke Model: the answer of one candidate, made to fit its window, and asked for once."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from broker.cache.single_flight import Leader
from broker.clock import now_ms
from broker.errors import BrokerError, CircuitOpen, Conflict, ContextExceeded, InvalidRequest, Rejected
from broker.jobs.head import Head
from broker.jobs.store import ERASED, Jobs, Moved, Payloads
from broker.jobs.transitions import owned
from broker.routing.catalog import Models
from broker.routing.figures import Health
from broker.routing.model import Model
from broker.routing.residency import outside
from broker.steps.building import of_run
from broker.steps.calling import Calling
from broker.steps.context import Run, enter, material
from broker.steps.exchanging import Begun, Planned
from broker.steps.repeating import answer_on_record, check_tries
from broker.steps.shortening import Shorten
from broker.steps.single_flight import SingleFlight
from broker.steps.timing import time_slice_of

EMBEDS = "embed"


@dataclass(frozen=True, slots=True)
class InvokeModel:
    """Asks one candidate of one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    calling: Calling
    shorten: Shorten
    share: SingleFlight
    health: Health

    def __call__(self, run: Run, model_id: str, now: int, following: Sequence[str] = ()) -> dict[str, Any]:
        """Make the call, unless its answer is there already; or ask after one that goes on by itself.

        Args:
            run: for whom.
            model_id: the candidate.
            now: milliseconds.
            following: the candidates that come after it, and keep their slices of the time.

        Returns:
            `{"output", "facts", "head"}`: the payload's name, the call's facts by the long names of `jobs.calls`, and
            the head as it is stored; without it, and with `"given": True`, where another job made the call.

        Raises:
            Pending: the provider goes on by itself, or an identical job makes the call.
            BrokerError: by the table `consequences`; `Conflict` when the run is stale or the job ended meanwhile (the
                call is then paid for all the same).
        """
        with self.cleared_up(run, now):
            if begun := self._begun(run, model_id, following, now):
                return self.calling.exchange(begun)
            return self._entered(run, model_id, following, now)

    def _entered(self, run: Run, model_id: str, following: Sequence[str], now: int) -> dict[str, Any]:
        """The same by the head as it is."""
        head = enter(self.jobs, run)
        if answer := answer_on_record(self.payloads, head):
            return answer
        request = material(self.payloads, run)
        going_on = self._pending_call(head, now)
        if going_on is not None:
            model = self.models.get(head.calls[going_on]["m"], now)
            # Without an operation id it is told all again.
            if going_on in head.going_on or not self._outside(run, model, request, now):
                return self.calling.poll(run, head, going_on, model, request, now)
        model = self.models.get(model_id, now)
        mine = of_run(head, run)
        self._check_residency(run, model, request, now)
        self._check_window(model, mine, now)
        try:
            return self._ask(run, head, model, mine, request, following, now)
        except CircuitOpen as error:
            self._skip(run, model, error.message)
            raise

    def _outside(self, run: Run, model: Model, request: Mapping[str, Any], now: int) -> str | None:
        """Why a model may not be told what the job asks: of who was selected, where an operator changed it since."""
        return outside(model, self.models.catalog(now).residency(request, redacts=bool(run.redacts)))

    def _check_residency(self, run: Run, model: Model, request: Mapping[str, Any], now: int) -> None:
        if why := self._outside(run, model, request, now):
            self._skip(run, model, why)
            raise Rejected(f"{model.id!r} may not be told this ({why}).", code="outside_residency")

    def _skip(self, run: Run, model: Model, why: str) -> None:
        """Say why a model was not asked, beside the job: nothing was sent, so no attempt tells of it."""
        self.jobs.note(run, f"SKIPPED#{run.fence.run}#{model.id}", {"model": model.id, "why": why})

    def _begun(self, run: Run, model_id: str, following: Sequence[str], now: int) -> Begun | None:
        """A run's first call, put on record by the head that travelled with it.

        Nothing else is done by that head, which may be old: None where the record was refused, or where more than the
        record is to be done before the call. All is then decided by the head as it is.
        """
        if run.head is None or run.head.open_calls:
            return None
        try:
            request = material(self.payloads, run)
            if request.get("coalesce") or request.get("context", {}).get("strategy", "error") != "error":
                return None
            model = self.models.get(model_id, now)
            if self._outside(run, model, request, now):
                return None
            time_slice = time_slice_of(model, owned(run.head, run.fence), run.fence, now, self._usual(following, now))
            return self.calling.begin(Planned(run, run.head, model, request, time_slice, now), once=True)
        except (Moved, BrokerError):
            return None

    def _usual(self, following: Sequence[str], now: int) -> list[int | None]:
        """How long calls of these models usually take, in milliseconds."""
        live = self.health.figures(now)
        return [live[each].p95_ms if each in live else None for each in following]

    def _ask(
        self,
        run: Run,
        head: Head,
        model: Model,
        mine: dict[str, dict[str, Any]],
        request: dict[str, Any],
        following: Sequence[str],
        now: int,
    ) -> dict[str, Any]:
        check_tries(model, mine)
        usual = self._usual(following, now)
        flight = self.share.join(
            run, head, request, model, time_slice_of(model, head, run.fence, now, usual).seconds, now
        )
        if isinstance(flight, dict):
            return flight
        try:
            began = time.monotonic()
            head, fitted = self.shorten(run, head, model, request, now)
            later = now + round((time.monotonic() - began) * 1000)  # a summary may have taken its time
            time_slice = time_slice_of(model, head, run.fence, later, usual)
            made = self.calling.make(Planned(run, head, model, fitted, time_slice, later))
        except BrokerError as error:
            if isinstance(flight, Leader):
                self.share.failed(flight, error, now_ms())
            raise
        if isinstance(flight, Leader):
            self.share.brought(flight, run, made)
        return made

    def embed(self, run: Run, asked: Mapping[str, Any], model_id: str, text: str, now: int) -> list[float]:
        """The embedding of a text of the job's request (`asked`), by an auxiliary call.

        Raises:
            InvalidRequest: the model gives none.
            Rejected: it may not be told the text.
            BrokerError: by the table `consequences`.
        """
        model = self.models.get(model_id, now)
        if EMBEDS not in model.tasks or model.asynchronous:
            raise InvalidRequest(f"{model_id!r} gives no embeddings.", code="no_embedding_model")
        self._check_residency(run, model, asked, now)
        request: dict[str, Any] = {"task": EMBEDS, "input": {"text": text}, "parameters": {"max_output_tokens": 1}}
        with self.cleared_up(run, now):
            made = self.calling.auxiliary(run, model, request, EMBEDS, now)
        vectors: list[list[float]] = made.get("embeddings") or [[]]
        return vectors[0]

    @contextmanager
    def cleared_up(self, run: Run, now: int) -> Iterator[None]:
        """Where a job has ended meanwhile, stop what this run had begun for it; a later run would go on with it.

        What the run wrote after the job was erased, it erases as well.
        """
        try:
            yield
        except Conflict:
            head = self.jobs.find(run.id)
            if head is not None and head.status.terminal:
                self._stop(head, now)
                if ERASED in self.jobs.notes(run.id, ERASED):
                    self.payloads.erase(run.id)
            raise

    def leave_undone(self, job_id: str, now: int) -> None:
        """Stop what providers go on with for a job that has ended, where no run will ask after it; may be repeated."""
        head = self.jobs.find(job_id)
        if head is not None and head.status.terminal:
            self._stop(head, now)

    def _stop(self, head: Head, now: int) -> None:
        known = self.models.all(now)
        for key in head.open_calls:
            if model := known.get(head.calls[key]["m"]):
                self.calling.stop(head, key, model)

    def _pending_call(self, head: Head, now: int) -> str | None:
        """The call whose work its provider does by itself.

        Also one without an operation id, which was lost with the function that began it: it is begun again under its
        name, and a service that starts a name once gives the same work.
        """
        known = self.models.all(now)
        begun = (key for key in head.open_calls if key in head.going_on or _by_itself(known, head.calls[key]))
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
