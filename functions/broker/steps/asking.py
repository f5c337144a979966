"""Ask Engines: the models and services that judge a request, or an answer, for the rules that name them.

Each call is on record as the operation `guard`, like all that a job pays for. What they said is kept for the step that
decides by it; an engine that gave no verdict is kept as just that, for what then follows is the rule's to say.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from broker.errors import BrokerError, InvalidRequest
from broker.guardrails.engines.pictures import NONE, Pictures, file_of, of_answer, of_request
from broker.guardrails.engines.places import looked_up
from broker.guardrails.engines.questions import OURS, Question, Wording, one, passages, questions_of
from broker.guardrails.engines.tasks import reads_texts
from broker.guardrails.engines.verdicts import FAILED, NOT_ALL, OUTSIDE, Verdict
from broker.guardrails.engines.weighing import most_rounds, name_of, next_engines
from broker.guardrails.novelty import Novelty
from broker.guardrails.policy import Stage
from broker.guardrails.walk import Seen, input_texts, output_texts
from broker.jobs.calls import GUARD
from broker.jobs.store import Jobs, Payloads
from broker.prompts.judging import wording
from broker.prompts.templates import Prompts
from broker.routing.catalog import Models
from broker.routing.model import Model
from broker.routing.residency import Residency, outside
from broker.steps.auxiliary import engine_task
from broker.steps.calling import Auxiliary
from broker.steps.context import Run, enter, material
from broker.steps.engine_calls import both, calls_of, verdict_of, version_of
from broker.steps.hearing import Heard, digest_of, earlier_verdicts, keep_verdicts, kept_verdicts, named
from broker.steps.invoking import InvokeModel
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

MOST_S = 290
"""Seconds that all engines of a stage have: as the longest call of a model, for the function has not much longer."""


@dataclass(frozen=True, slots=True)
class AskEngines:
    """Asks for one run."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants
    policies: Policies
    models: Models
    prompts: Prompts
    invoke: InvokeModel
    """Makes the calls, and clears up after a job that has ended meanwhile."""

    def __call__(self, run: Run, stage: Stage, rules: str, output: str | None, now: int) -> dict[str, Any]:
        """Ask all engines of these rules (`hearing.naming`), side by side; of a cascade, one after the other.

        May be repeated: what was heard is not asked again.

        Args:
            run: for which.
            stage: of which.
            rules: by name.
            output: the payload's name of the answer, after the model.
            now: milliseconds.

        Returns:
            `{"redacted": True}` where models may not see all of the request, or nothing.

        Raises:
            Conflict: the run is stale.
            PolicyMissing: a policy that is to hold is not there.
        """
        with self.invoke.cleared_up(run, now):
            enter(self.jobs, run)
            texts = self._texts(run, stage, output)
            pictures = cache(lambda: self._pictures(run, stage, output))
            heard = self._heard(run, stage, rules, texts, now)
            began = time.monotonic()
            while waiting := self._waiting(heard):
                took = time.monotonic() - began
                # Each engine of a cascade has its share, so that one that hangs leaves the next one some.
                within_s = (MOST_S - took) / most_rounds((rule for _, rule in heard.rules), heard.verdicts)
                later = now + round(took * 1000)
                self._hear(run, stage, heard, waiting, texts, pictures, later, within_s)
            # What is kept of a job that has ended meanwhile goes as the rest of it.
            enter(self.jobs, run)
        return {"redacted": True} if run.redacted else {}

    def _heard(self, run: Run, stage: Stage, rules: str, texts: Sequence[Seen], now: int) -> Heard:
        """What is known already: of this run, or of one before it that was asked the very same."""
        heard = kept_verdicts(self.payloads, run, stage)
        if heard is None:
            tenant = self.tenants.get(run.tenant, now)
            asked = named(self.policies.holding(tenant, run.policies, now), rules, stage)
            heard = Heard(asked, of=digest_of(texts))
            if earlier := earlier_verdicts(self.payloads, run, stage, heard):
                heard = Heard(asked, earlier, heard.of)
                keep_verdicts(self.payloads, run, stage, heard)
        elif heard.verdicts:
            self.invoke.calling.close_kept(run, GUARD, [f"{stage}/{name}/" for name in heard.verdicts])
        return heard

    def _texts(self, run: Run, stage: Stage, output: str | None) -> Sequence[Seen]:
        if stage == "input":
            return list(input_texts(material(self.payloads, run)))
        return list(output_texts(self.payloads.load(run.id, str(output), fresh=True, words=True)))

    def _pictures(self, run: Run, stage: Stage, output: str | None) -> Pictures:
        if stage == "input":
            return self._pinned(run, of_request(material(self.payloads, run)))
        name = str(output)
        answer = self.payloads.load(run.id, name, fresh=True)
        return of_answer(answer, lambda number: self.payloads.load_file(run.id, name, number))

    def _pinned(self, run: Run, pictures: Pictures) -> Pictures:
        """The same, where what is in the inbox stays what it is now: for all engines, and for the model after them."""
        media = self.invoke.calling.media(run)
        try:
            for each in pictures.parts if pictures.few else ():
                if (file := file_of(each)) and "s3" in file:
                    media.pin(file)
        except InvalidRequest:
            return replace(pictures, few=False)
        return pictures

    def _waiting(self, heard: Heard) -> list[Question]:
        wanted = {name_of(rule, each) for _, rule in heard.rules for each in next_engines(rule, heard.verdicts)}
        return [each for each in questions_of(rule for _, rule in heard.rules) if each.name in wanted]

    def _residency(self, run: Run, now: int, *, sees: bool) -> Sequence[Residency]:
        """What routes demand of who is asked; the request is only read where some route demands anything.

        An answer to unredacted data is such data as well, and what engines would take out is not out before they read.
        Nothing is taken out of pictures.
        """
        catalog = self.models.catalog(now)
        redacted = run.redacts and not sees
        if redacted or not any(route.residency for route in catalog.routes.values()):
            return ()
        return catalog.residency(material(self.payloads, run))

    def _hear(
        self,
        run: Run,
        stage: Stage,
        heard: Heard,
        questions: Sequence[Question],
        texts: Sequence[Seen],
        pictures: Callable[[], Pictures],
        now: int,
        within_s: float,
    ) -> None:
        """One round; what was heard is kept before the calls are settled, so that nobody pays for it twice."""
        calls: list[tuple[Question, Auxiliary]] = []
        residency = cache(lambda sees: self._residency(run, now, sees=sees))
        for question in questions:
            shown = pictures() if question.pictures else NONE
            asked = self._calls(stage, question, texts, shown, residency, now)
            if isinstance(asked, Verdict):
                heard.verdicts[question.name] = asked
            else:
                calls += [(question, call) for call in asked]
        answers = self.invoke.calling.side_by_side(run, [call for _, call in calls], now, within_s)
        for (question, call), answer in zip(calls, answers, strict=True):
            verdict = verdict_of(question, call, answer.output, answer.error)
            known = heard.verdicts.get(question.name)
            heard.verdicts[question.name] = both(known, verdict) if known else verdict
        for question in questions:
            heard.verdicts[question.name] = self._looked_up(run, stage, heard, question, texts)
        keep_verdicts(self.payloads, run, stage, heard)
        for answer in answers:
            self.invoke.calling.close(run, answer)

    def _calls(
        self,
        stage: Stage,
        question: Question,
        texts: Sequence[Seen],
        shown: Pictures,
        residency: Callable[[bool], Sequence[Residency]],
        now: int,
    ) -> list[Auxiliary] | Verdict:
        """The calls for one question; or what it comes to without any."""
        model = self._engine(question, now)
        if model is None:
            return Verdict(failed=FAILED)
        version = version_of(question, model)
        by_sight = question.pictures and not reads_texts(model.provider, engine_task(model, question.check))
        given = [] if by_sight else passages(question.check, texts)
        if outside(model, residency(shown.are_there)):
            return Verdict(failed=OUTSIDE, version=version)
        if not given and not shown.are_there:
            return Verdict(version=version)
        try:
            asked = calls_of(stage, question, model, given, self._words(question), shown)
        except BrokerError:  # the prompt is not there, or could not be read
            return Verdict(failed=FAILED, version=version)
        return asked or Verdict(failed=NOT_ALL, version=version)

    def _words(self, question: Question) -> Wording:
        """The operators' own for a judge, where they have some."""
        if question.prompt is None:
            return OURS
        template = self.prompts.version(question.prompt.id, question.prompt.version)
        return wording(template.source, template.variables)

    def _looked_up(self, run: Run, stage: Stage, heard: Heard, question: Question, texts: Sequence[Seen]) -> Verdict:
        """What the text has where an engine found something; for the step that decides, it may be another by then."""
        verdict = heard.verdicts[question.name]
        if not any(find.end for find in verdict.finds):
            return verdict
        of_new = any(rule.only_new and rule.check == question.check for _, rule in heard.rules)
        novelty = Novelty(stage, lambda: material(self.payloads, run)) if of_new else None
        return looked_up(verdict, one(passages(question.check, texts)).text, question.check, novelty)

    def _engine(self, question: Question, now: int) -> Model | None:
        try:
            model = self.models.get(question.engine, now)
        except InvalidRequest:  # the operators took it away since
            return None
        return model if model.status != "disabled" and engine_task(model, question.check) is not None else None
