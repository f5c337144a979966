"""Which key of a model's pool a call is made with, and whether another is asked where one failed."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from broker.errors import BrokerError, CircuitOpen, Throttled
from broker.jobs.head import Head
from broker.routing.credentials import Credential, KeyLimits, in_order
from broker.routing.model import Model
from broker.steps.admitting import Admission
from broker.steps.context import Run
from broker.steps.repeating import OF_KEYS, is_of_key

MOST_KEYS = 4
"""Of a pool, so many are asked in vain for one run: each call is on the job's head."""

Calls = Mapping[str, dict[str, Any]]
"""The calls of one run, as the head keeps them."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Chooses keys, and tells their circuits what became of them."""

    admission: Admission
    limits: KeyLimits
    notice: Callable[[str, Run, Exception], None] = lambda what, run, error: None
    """Told of each count that could not be reached: what could not be done, the run, the error."""

    def choose(
        self,
        run: Run,
        head: Head,
        model: Model,
        affinity: str,
        tokens: Callable[[], int],
        lease_ms: int,
        now: int,
        missing: Collection[str] = (),
        *,
        hurried: bool,
    ) -> Credential | None:
        """A key that may be asked now; None for a model without a pool.

        The call that follows is told of by `record`.

        Args:
            run: for which.
            head: the job, with the run's calls.
            model: the model.
            affinity: what keeps requests to a key.
            tokens: estimates what the call can have, in and out; asked where a key has limits.
            lease_ms: as `Admission.admit`.
            now: milliseconds.
            missing: names of those that are not to be asked.
            hurried: as `Admission.admit`.

        Raises:
            CircuitOpen: none may be asked now; `retry_after` says when the first may be.
            CredentialRejected, Throttled: all were asked in vain; it is the last failure.
        """
        if not model.credentials:
            return None
        mine = head.calls_of(run.fence.run)
        failed = _failures(model, mine)
        left = _untried(model, failed) or _paused_once(model, failed)
        if failed and not left:
            raise _again(failed[-1])
        later: list[float] = []
        for credential in in_order(model.credentials, affinity):
            if credential.name not in left or credential.name in missing:
                continue
            try:
                self.admission.admit_key(run, model, credential, lease_ms, now, hurried=hurried)
            except CircuitOpen as error:
                later.append(error.retry_after or 1)
                continue
            wait = self._over(run, model, credential, tokens, now)
            if wait is None:
                return credential
            self.admission.record_key(run, model, credential, CircuitOpen.__name__, 0, now)
            later.append(wait)
        message = f"No key of {model.id} may be asked now."
        raise CircuitOpen(message, code="no_key", retry_after=min(later, default=1.0))

    def _over(
        self, run: Run, model: Model, credential: Credential, tokens: Callable[[], int], now: int
    ) -> float | None:
        if credential.requests_per_minute is None and credential.tokens_per_minute is None:
            return None
        try:
            return self.limits.take(model.id, credential, tokens(), now)
        except Exception as error:  # the provider counts as well
            self.notice("a key's calls could not be counted", run, error)
            return None


Left = Literal["another", "paused", "none"]


def left_after(run: Run, head: Head, model: Model, credential: Credential, failure: BrokerError) -> Left:
    """What there is to ask after a key failed: another key, one again that asked for a pause, or none."""
    this = {"j": credential.name, "o": type(failure).__name__}
    failed = [*_failures(model, head.calls_of(run.fence.run)), this]
    if _untried(model, failed):
        return "another"
    return "paused" if _paused_once(model, failed) else "none"


def _failures(model: Model, mine: Calls) -> list[dict[str, Any]]:
    """The calls of a model whose failures were their keys', in the order in which they were made."""
    ordered = sorted(mine.items(), key=lambda pair: int(pair[0].split(".")[1]))
    return [call for _, call in ordered if call["m"] == model.id and is_of_key(call) and "w" not in call]


def _untried(model: Model, failed: list[dict[str, Any]]) -> set[str]:
    if len(failed) >= MOST_KEYS:
        return set()
    return {each.name for each in model.credentials if each.weight} - {call.get("j") for call in failed}


def _paused_once(model: Model, failed: list[dict[str, Any]]) -> set[str]:
    """Keys that only asked for a pause, each once: after it, one of them is asked once more."""
    names = [call.get("j") for call in failed]
    if len(names) != len(set(names)):
        return set()
    return {str(call.get("j")) for call in failed if call.get("o") == Throttled.__name__}


def _again(call: dict[str, Any]) -> BrokerError:
    kind = next(kind for kind in OF_KEYS if kind.__name__ == call["o"])
    facts = call.get("e") or {}
    return kind(facts.get("message", "The model's keys failed."), code=facts.get("code"))
