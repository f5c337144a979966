"""What one engine is asked, call by call, and what its answers come to."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from broker.errors import BrokerError, ContextExceeded, InvalidRequest, Refused, Rejected
from broker.guardrails.engines import verdicts
from broker.guardrails.engines.pictures import MOST_CHARACTERS, NONE, Part, Pictures, address_of, file_of
from broker.guardrails.engines.questions import (
    MARKER_TOKENS,
    MOST_PARTS,
    VERDICT_TOKENS,
    Passage,
    Question,
    Wording,
    cut,
    judge_request,
    judges,
    kinds_of,
    picture_request,
    service_request,
)
from broker.guardrails.engines.tasks import can_see
from broker.guardrails.engines.verdicts import FAILED, NOT_ALL, REFUSED, Find, TooMany, Unreadable, Verdict
from broker.guardrails.engines.weighing import answers
from broker.guardrails.policy import Stage
from broker.jobs.calls import GUARD
from broker.routing.model import Model
from broker.steps.auxiliary import engine_task
from broker.steps.calling import Auxiliary
from broker.token_estimates import estimate, estimate_input, family_of


def calls_of(
    stage: Stage,
    question: Question,
    model: Model,
    given: Sequence[Passage],
    words: Wording,
    pictures: Pictures = NONE,
) -> list[Auxiliary]:
    """The calls by which an engine reads all; none where it cannot: the text is too long, or there are many pictures.

    Args:
        stage: before the model, or after it.
        question: what it is asked.
        model: the engine.
        given: the texts that it reads.
        words: the operators' own for a judge.
        pictures: that it is shown. A service judges one at a time, as it does texts.
    """
    task = engine_task(model, question.check)
    sees = pictures.few and can_see(question.check, task, model.provider, model.capabilities)
    if pictures.are_there and not sees:
        return []
    asked = (
        _of_judge(stage, question, model, given, words, pictures)
        if task == "chat"
        else _of_service(str(task), given, stage, pictures)
    )
    return [_call(stage, question, model, part, each) for part, each in enumerate(asked)]


def _of_service(task: str, given: Sequence[Passage], stage: Stage, pictures: Pictures) -> list[dict[str, Any]]:
    files = [file for each in pictures.parts if (file := file_of(each))]
    if len(files) < len(pictures.parts):
        return []
    read = [service_request(task, given, stage)] if given else []
    return read + [picture_request(file, stage) for file in files]


def _of_judge(
    stage: Stage, question: Question, model: Model, given: Sequence[Passage], words: Wording, pictures: Pictures
) -> list[dict[str, Any]]:
    together, alone = ((), pictures.parts) if pictures.apart else (pictures.parts, ())
    if any(len(address_of(each)) > MOST_CHARACTERS for each in alone):
        return []
    family = family_of(model.name)
    seen = max([_tokens_seen(together, family), *(_tokens_seen((each,), family) for each in alone)])
    room = model.context_window - VERDICT_TOKENS - question.frame_tokens - seen
    tokens = sum(estimate(passage.text, family) + MARKER_TOKENS for passage in given)
    parts = -(-tokens * 5 // (room * 4)) if room > 0 else MOST_PARTS + 1  # not every part is of the usual length
    if parts > MOST_PARTS:
        return []
    pieces = cut(given, parts) if parts > 1 else [list(given)] if given or together else []
    asked = [
        judge_request(stage, question, each, words, () if place else together) for place, each in enumerate(pieces)
    ]
    return asked + [judge_request(stage, question, (), words, [each]) for each in alone]


def _tokens_seen(pictures: Sequence[Part], family: str) -> int:
    if not pictures:
        return 0
    return estimate_input({"input": {"messages": [{"role": "user", "content": [*pictures]}]}}, family)


def _call(stage: Stage, question: Question, model: Model, part: int, asked: dict[str, Any]) -> Auxiliary:
    """An answer that is kept is found by all that was asked, for one to something else says nothing of it."""
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    mark = f"{stage}/{question.name}/{part}/{digest}"
    return Auxiliary(model, asked, GUARD, mark, str(question.prompt or ""))


def verdict_of(question: Question, call: Auxiliary, output: Any, error: BrokerError | None) -> Verdict:
    """What an engine's answer to one of its calls means, or that there is none."""
    version = version_of(question, call.model)
    if isinstance(error, Refused):
        return Verdict((Find(REFUSED, 1.0),), version=version)
    if error is not None:
        unread = isinstance(error, ContextExceeded) or (_is_of_picture(call) and isinstance(error, UNREADABLE))
        return Verdict(failed=NOT_ALL if unread else FAILED, version=version)
    try:
        finds = _finds(question, call.model, output)
        # A service that knows of no attacks has not said that there is none.
        if finds and not any(answers(question.check, each) for each in finds):
            return Verdict(failed=FAILED, version=version)
        return Verdict(finds, NOT_ALL if verdicts.is_partial(output) else "", version)
    except TooMany:
        return Verdict(failed=NOT_ALL, version=version)
    except (Unreadable, LookupError, TypeError):
        return Verdict(failed=FAILED, version=version)


UNREADABLE = (Rejected, InvalidRequest)
"""What becomes of a picture that a service cannot read: of another format, too large, or not there any more."""


def _is_of_picture(call: Auxiliary) -> bool:
    return "file" in call.request["input"]


def _finds(question: Question, model: Model, output: Any) -> tuple[Find, ...]:
    match engine_task(model, question.check):
        case "chat":
            return verdicts.judged(output, kinds_of(question), question.topics)
        case "entities":
            return verdicts.recognised(output)
        case _:
            return verdicts.personal(output) if question.check == "personal_data" else verdicts.moderated(output)


def both(one: Verdict, other: Verdict) -> Verdict:
    """Of two parts of what an engine read."""
    return Verdict(one.finds + other.finds, one.failed or other.failed, one.version)


def version_of(question: Question, model: Model) -> str:
    """Of the model's record, and of a judge's instructions."""
    if engine_task(model, question.check) != "chat":
        return str(model.version)
    return f"{model.version}.{judges()['version']}" + (f".{question.prompt}" if question.prompt else "")
