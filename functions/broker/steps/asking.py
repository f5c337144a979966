"""Ask Engines: the models and services that judge a request, or an answer, for the rules that name them.

Each call is on record as the operation `guard`, like all that a job pays for. What they said is kept for the step that
decides by it; an engine that gave no verdict is kept as just that, for what then follows is the rule's to say.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import BrokerError, InvalidRequest, Refused
from broker.guardrails.engines import verdicts
from broker.guardrails.engines.questions import (
    FRAME_TOKENS,
    MARKER_TOKENS,
    MOST_PARTS,
    TOPIC_TOKENS,
    VERDICT_TOKENS,
    Passage,
    Question,
    cut,
    judge_request,
    judges,
    kinds_of,
    passages,
    questions_of,
    service_request,
)
from broker.guardrails.engines.verdicts import (
    FAILED,
    FLAGGED,
    NOT_ALL,
    OUTSIDE,
    REFUSED,
    Find,
    TooMany,
    Unreadable,
    Verdict,
)
from broker.guardrails.engines.weighing import is_attack, next_engines
from broker.guardrails.policy import Stage
from broker.guardrails.walk import Seen, input_texts, output_texts
from broker.jobs.store import Jobs, Payloads
from broker.routing.catalog import Models
from broker.routing.model import Model
from broker.routing.residency import Residency, outside
from broker.steps.auxiliary import engine_task
from broker.steps.calling import Auxiliary
from broker.steps.context import Run, enter, material
from broker.steps.hearing import Heard, digest_of, earlier_verdicts, keep_verdicts, kept_verdicts, named
from broker.steps.invoking import InvokeModel
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants
from broker.token_estimates import estimate, family_of

OPERATION = "guard"


@dataclass(frozen=True, slots=True)
class AskEngines:
    """Asks for one run."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants
    policies: Policies
    models: Models
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
            heard = self._heard(run, stage, rules, texts, now)
            began = time.monotonic()
            while waiting := self._waiting(heard):
                later = now + round((time.monotonic() - began) * 1000)
                self._hear(run, stage, heard, waiting, texts, self._residency(run, later), later)
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
            self.invoke.calling.close_kept(run, OPERATION, [f"{stage}/{name}/" for name in heard.verdicts])
        return heard

    def _texts(self, run: Run, stage: Stage, output: str | None) -> Sequence[Seen]:
        if stage == "input":
            return list(input_texts(material(self.payloads, run)))
        return list(output_texts(self.payloads.load(run.id, str(output), fresh=True)))

    def _waiting(self, heard: Heard) -> list[Question]:
        engines = {f"{engine}/{rule.check}" for _, rule in heard.rules for engine in next_engines(rule, heard.verdicts)}
        return [each for each in questions_of(rule for _, rule in heard.rules) if each.name in engines]

    def _residency(self, run: Run, now: int) -> Sequence[Residency]:
        """What routes demand of those who are asked; the request is only read where some route demands anything.

        An answer to unredacted data is such data as well, and what engines would take out is not out before they read.
        """
        catalog = self.models.catalog(now)
        if run.redacts or not any(route.residency for route in catalog.routes.values()):
            return ()
        return catalog.residency(material(self.payloads, run))

    def _hear(
        self,
        run: Run,
        stage: Stage,
        heard: Heard,
        questions: Sequence[Question],
        texts: Sequence[Seen],
        residency: Sequence[Residency],
        now: int,
    ) -> None:
        """One round; what was heard is kept before the calls are settled, so that nobody pays for it twice."""
        calls: list[tuple[Question, Model, Auxiliary]] = []
        for question in questions:
            model = self._engine(question.engine, now)
            given = passages(question.check, texts)
            if model is None:
                heard.verdicts[question.name] = Verdict(failed=FAILED)
            elif outside(model, residency):
                heard.verdicts[question.name] = Verdict(failed=OUTSIDE, version=_version(question, model))
            elif not given:
                heard.verdicts[question.name] = Verdict(version=_version(question, model))
            else:
                asked = _requests(stage, question, model, given)
                if not asked:
                    heard.verdicts[question.name] = Verdict(failed=NOT_ALL, version=_version(question, model))
                calls += [
                    (question, model, Auxiliary(model, each, OPERATION, _mark(question, stage, part, each)))
                    for part, each in enumerate(asked)
                ]
        answers = self.invoke.calling.side_by_side(run, [call for _, _, call in calls], now)
        for (question, model, _), answer in zip(calls, answers, strict=True):
            verdict = _verdict(question, model, answer.output, answer.error)
            known = heard.verdicts.get(question.name)
            heard.verdicts[question.name] = _both(known, verdict) if known else verdict
        keep_verdicts(self.payloads, run, stage, heard)
        for answer in answers:
            self.invoke.calling.close(run, answer)

    def _engine(self, engine: str, now: int) -> Model | None:
        try:
            model = self.models.get(engine, now)
        except InvalidRequest:  # the operators took it away since
            return None
        return model if model.status != "disabled" and engine_task(model) is not None else None


def _requests(stage: Stage, question: Question, model: Model, given: Sequence[Passage]) -> list[dict[str, Any]]:
    """What the engine is asked; nothing where the text is too long for it."""
    task = engine_task(model)
    if task != "chat":
        return [service_request(str(task), given, stage)]
    room = model.context_window - VERDICT_TOKENS - FRAME_TOKENS - TOPIC_TOKENS * len(question.topics)
    tokens = sum(estimate(passage.text, family_of(model.name)) + MARKER_TOKENS for passage in given)
    parts = -(-tokens * 5 // (room * 4)) if room > 0 else MOST_PARTS + 1  # not every part is of the usual length
    if parts > MOST_PARTS:
        return []
    pieces = [list(given)] if parts == 1 else cut(given, parts)
    return [judge_request(stage, question, each) for each in pieces]


def _verdict(question: Question, model: Model, output: Any, error: BrokerError | None) -> Verdict:
    version = _version(question, model)
    if isinstance(error, Refused):
        return Verdict((Find(REFUSED, 1.0),), version=version)
    if error is not None:
        return Verdict(failed=FAILED, version=version)
    try:
        finds = _finds(question, model, output)
        # A service that knows of no attacks has not said that there is none.
        unfit = (
            question.check == "injection"
            and finds
            and not any(is_attack(each) or each.kind == FLAGGED for each in finds)
        )
        return Verdict(failed=FAILED, version=version) if unfit else Verdict(finds, version=version)
    except TooMany:
        return Verdict(failed=NOT_ALL, version=version)
    except (Unreadable, LookupError, TypeError):
        return Verdict(failed=FAILED, version=version)


def _finds(question: Question, model: Model, output: Any) -> tuple[Find, ...]:
    match engine_task(model):
        case "chat":
            return verdicts.judged(output, kinds_of(question), question.topics)
        case "entities":
            return verdicts.recognised(output)
        case _:
            return verdicts.moderated(output)


def _both(one: Verdict, other: Verdict) -> Verdict:
    """Of two parts of a text."""
    return Verdict(one.finds + other.finds, one.failed or other.failed, one.version)


def _mark(question: Question, stage: Stage, part: int, asked: Mapping[str, Any]) -> str:
    """What an answer that is kept is found by: all that was asked, for one to something else says nothing of it."""
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"{stage}/{question.name}/{part}/{digest}"


def _version(question: Question, model: Model) -> str:
    """Of the model's record, and of a judge's instructions."""
    return f"{model.version}.{judges()['version']}" if engine_task(model) == "chat" else str(model.version)
