"""The cache in the workflow: an answer that was given before takes the place of the model's.

The guardrail settings are part of the question, and only answers that passed them are kept, so what is found here goes
to the job's end as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from broker.cache.answers import NOTE, Answers, Given, Hit, Wish
from broker.cache.canonical import cache_key_of, last_words
from broker.cache.vectors import Vector
from broker.errors import BadOutput, Conflict
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads, Saved
from broker.jobs.transitions import owned
from broker.routing.model import Model
from broker.steps.context import Run
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenant


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """Finds, gives and keeps answers for one run after the other."""

    jobs: Jobs
    payloads: Payloads
    policies: Policies
    answers: Answers
    observe: Callable[[Run, Hit], None]
    """Told of each answer that was given."""

    def __call__(
        self, run: Run, request: Mapping[str, Any], tenant: Tenant, candidates: Sequence[Model], now: int
    ) -> dict[str, Any]:
        """Look for an answer to the very same question.

        Returns:
            Nothing for a job that asked for no cache, which then costs no request more. Where there is an answer,
            `{"cached": {"output", "facts", "given"}}`, as Invoke Model would tell it; `given` says that no model was
            asked. Otherwise `{"keep": True}`, and `"embed": True` where a similar question is worth a look.

        Raises:
            Conflict: the job has ended meanwhile.
            PolicyMissing: a guardrail policy that is to hold is not there.
        """
        wish = self._wish(run, request, tenant, candidates, now)
        if wish is None:
            return {}
        if hit := self.answers.find(wish, now):
            return {"cached": self.give(run, hit)}
        self._note(run, wish.note(self._embedded_before(run, wish)))
        return {"keep": True} | ({"embed": True} if wish.compares else {})

    def keep_for(
        self, run: Run, request: Mapping[str, Any], tenant: Tenant, answered: Model, now: int
    ) -> dict[str, Any]:
        """The same for a run that takes an answer which an earlier run paid for: nothing is looked for.

        It is kept for the question under the rules of now, by which it is held once more.

        Returns:
            `{"keep": True}`; nothing for a job that asked for no cache.

        Raises:
            Conflict, PolicyMissing: as above.
        """
        wish = self._wish(run, request, tenant, [answered], now)
        if wish is None:
            return {}
        self._note(run, wish.note(self._embedded_before(run, wish)))
        return {"keep": True}

    def _wish(
        self, run: Run, request: Mapping[str, Any], tenant: Tenant, candidates: Sequence[Model], now: int
    ) -> Wish | None:
        """What a job asks of the cache; None where it asks for nothing that there is."""
        asked = request.get("cache")
        if asked is None or asked.get("mode") == "bypass":
            return None
        guardrails = self.policies.settings(tenant, run.policies, now)
        compares = "similarity" in asked and not _checks_citations(request)
        embedding_model = tenant.cache_embedding_model if compares else None
        question = cache_key_of(tenant.id, request, candidates, guardrails, embedding_model=embedding_model)
        return None if question is None else Wish.of(question, asked)

    def _note(self, run: Run, facts: Mapping[str, Any]) -> None:
        """Say beside the job what the cache did for it.

        A run that broke off between the cache and its end has given an answer that nobody took: it is withdrawn first.

        Raises:
            Conflict: the job has ended, or another run owns it.
        """
        try:
            self.answers.note(run, facts)
        except Conflict:
            owned(self.jobs.get(run.id), run.fence)
            self.answers.withdraw(run.id)
            self.answers.note(run, facts)

    def _embedded_before(self, run: Run, wish: Wish) -> Vector | None:
        """The embedding that an earlier run of the job paid for, where it is of the same question."""
        if run.fence.run == 1 or not wish.compares:
            return None
        note = self.jobs.notes(run.id, NOTE).get(NOTE, {})
        same = "vector" in note and note["shape"] == wish.question.shape
        return Vector(note["vector"], note["square"]) if same else None

    def similar(
        self, run: Run, request: Mapping[str, Any], embed: Callable[[str], Sequence[float]], now: int
    ) -> dict[str, Any]:
        """Look for an answer to a question that is like the job's, once nothing was found for the same.

        Args:
            run: that looks.
            request: as prepared.
            embed: asks the tenant's embedding model; it books the call.
            now: milliseconds.

        Returns:
            `{"cached": …}` as above, or nothing; the embedding is then kept beside the job, to be kept with its answer.

        Raises:
            BadOutput: the embedding is none.
            Conflict: the job has ended meanwhile.
            BrokerError: whatever `embed` raises.
        """
        note = self.jobs.notes(run.id, NOTE)[NOTE]
        wish = Wish.from_note(note)
        if "vector" in note:  # the step is repeated
            vector = Vector(note["vector"], note["square"])
        else:
            vector = _embedded(embed, request)
        if hit := self.answers.find_similar(wish, vector, now):
            return {"cached": self.give(run, hit)}
        self._note(run, wish.note(vector))
        return {}

    def give(self, run: Run, hit: Hit) -> dict[str, Any]:
        """Make an answer that was found the job's own, and say so beside it.

        Raises:
            Conflict: the job has ended meanwhile; it has nothing of the answer.
        """
        output = _name_of(run)
        return self._given(run, hit, output, self.payloads.save(run, output, hit.given.output))

    def give_from(self, run: Run, hit: Hit, source: str, source_name: str) -> dict[str, Any] | None:
        """The same for another job's answer, which is copied unseen; None where it is gone.

        Args:
            run: that gets it.
            hit: what is known of it beside the answer.
            source: the other job's id.
            source_name: the payload's.

        Raises:
            Conflict: as `give`.
        """
        output = _name_of(run)
        saved = self.payloads.copy(run, output, source, source_name)
        return None if saved is None else self._given(run, hit, output, saved)

    def _given(self, run: Run, hit: Hit, output: str, saved: Saved) -> dict[str, Any]:
        try:
            self._note(run, hit.note())
            if self.jobs.get(run.id).status.terminal:
                raise Conflict(f"job {run.id} has ended")
        except Conflict:
            self.payloads.drop(run.id, output)
            raise
        self.observe(run, hit)
        facts = {"model": hit.given.model, **hit.given.usage, **({"linked": True} if saved.linked else {})}
        if hit.given.output.get("finish_reason") == "length":
            facts["cut"] = True
        return {"output": output, "facts": facts, "given": True}

    def keep(self, ended: Head, now: int) -> bool:
        """Keep the answer of a job that succeeds, as its head will be; False where it is not kept, no error."""
        if ended.linked:
            return False  # larger than any that is kept
        # As of now: Moderate Output may just have changed it.
        output = self.payloads.load(ended.id, ended.output, fresh=True) if ended.output else None
        if output is None or ended.model is None:
            return False
        return self.answers.keep(ended, Given(ended.model, output, dict(ended.usage), ended.spent), now)


def _name_of(run: Run) -> str:
    """Each execution has a name of its own: one that is late drops what it wrote, and nothing else."""
    return f"OUTPUT#kept.{run.fence.run}.{crc32(run.fence.execution.encode()):08x}"


def _checks_citations(request: Mapping[str, Any]) -> bool:
    """True where the answer may only cite the request's own input: one to a similar question cites another."""
    return any("citations" in rules for rules in request.get("postprocess", ()))


def _embedded(embed: Callable[[str], Sequence[float]], request: Mapping[str, Any]) -> Vector:
    try:
        return Vector.of(embed(last_words(request)[0]))
    except ValueError:
        raise BadOutput("The embedding model gave nothing to compare by.", code="bad_embedding") from None
