"""How answers to the parts of a document become one.

Each way is a generator, which asks for stages, is sent how their requests ended, and returns the result.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from broker.documents.merging import Found, merge, of_a_part
from broker.documents.recipe import PromptUse
from broker.documents.run import Run, told
from broker.documents.steps import OUTPUT_WEIGHT, PROMPT_TOKENS, Answer, Ended, Failed, Final, Request, Stage
from broker.json_schema.checking import TooMuch, check_schema
from broker.postprocessing.citations import cited_pages

MOST_STEPS = 200
"""Of `refine`: they run one after the other."""

Way = Generator[Stage, Sequence[Ended], Final]


def _parts(run: Run, schema: Any, later: int) -> Generator[Stage, Sequence[Ended], list[Answer]]:
    """Ask about each part."""
    more = {} if schema is None else {"output_schema": schema}
    requests = tuple(
        run.request("parts", chunk.number, chunk.pages, run.recipe.map, {"document": chunk.text}, **more)
        for chunk in run.chunks
    )
    ended = yield Stage("parts", requests, later)
    answers = run.answers("parts", requests, ended)
    for answer in answers:
        if stray := sorted(cited_pages(answer.text) - set(answer.pages)):
            message = f"The answer to part {answer.part} cites pages that are not in it."
            run.note("stray_citation", message, part=answer.part, pages=stray)
    return answers


def _concat(run: Run) -> Way:
    answers = yield from _parts(run, None, 0)
    return Final("\n\n".join(answer.text for answer in answers))


def _per_page(run: Run) -> Way:
    answers = yield from _parts(run, run.recipe.schema, 0)
    return Final([{"page": answer.pages[0], "answer": answer.shown} for answer in answers])


def _extract(run: Run) -> Way:
    schema = run.recipe.schema or {}
    answers = yield from _parts(run, of_a_part(schema), 0)
    objects = [answer for answer in answers if isinstance(answer.json, dict)]
    if not objects:
        raise Failed("no_answers", "No part gave an object.", tuple(answers))
    merged = merge([Found(each.part, each.pages, each.json) for each in objects], schema, run.recipe.rules)
    if (fault := _fault(merged.value, schema)) is not None:
        message = f"What the parts gave together is not valid under the schema: {fault}."
        if run.recipe.on_failure == "fail":
            raise Failed("merged_not_valid", message, (Answer(1, _pages(objects), "", merged.value),))
        run.note("merged_not_valid", message)
    return Final(merged.value, conflicts=merged.conflicts)


def _fault(value: Any, schema: Mapping[str, Any]) -> str | None:
    try:
        found = check_schema(dict(schema)).fault(value, len(json.dumps(value)))
    except TooMuch:
        return "it is too large to be checked"
    return "it is too large to say where" if found == "" else found


def _map_reduce(run: Run) -> Way:
    schema = run.recipe.schema
    later = _weight_of_merging(run, len(run.chunks)) if len(run.chunks) > 1 or schema else 0
    answers = yield from _parts(run, None, later)
    if len(answers) == 1 and schema is None:
        return Final(answers[0].text)
    for level in range(1, run.recipe.depth + 1):
        groups = run.packed(answers)
        is_last = len(groups) == 1
        if not is_last and len(groups) >= len(answers):
            break
        stage, requests = _merging(run, f"merge-{level}", groups, schema if is_last else None)
        ended = yield stage
        if is_last and ended[0].status == "succeeded":
            (answer,) = run.answers(stage.name, requests, ended)
            return Final(answer.shown)
        answers = _merged(run, stage.name, groups, ended)
        if is_last:
            return Final("\n\n".join(answer.text for answer in answers))
    message = f"The answers to {len(run.chunks)} parts did not become one in {run.recipe.depth} merges."
    if run.recipe.on_failure == "fail":
        raise Failed("merge_not_converged", message, tuple(answers))
    run.note("merge_not_converged", message)
    return Final("\n\n".join(answer.text for answer in answers))


def _merging(run: Run, name: str, groups: Sequence[Sequence[Answer]], schema: Any) -> tuple[Stage, tuple[Request, ...]]:
    more = {} if schema is None else {"output_schema": schema}
    requests = tuple(
        run.request(name, part, _pages(group), _reducing(run), {"answers": "\n\n".join(map(told, group))}, **more)
        for part, group in enumerate(groups, 1)
    )
    return Stage(name, requests, _weight_of_merging(run, len(groups)) if len(groups) > 1 else 0), requests


def _merged(run: Run, name: str, groups: Sequence[Sequence[Answer]], ended: Sequence[Ended]) -> list[Answer]:
    """The answers of a merge; of a group that has none, what was to be merged, for nothing that was said is lost."""
    run.latest = tuple(answer for group in groups for answer in group)
    run.check(name, [_pages(group) for group in groups], ended)
    answers = []
    for part, (group, end) in enumerate(zip(groups, ended, strict=True), 1):
        text = end.text if end.status == "succeeded" else "\n\n".join(map(told, group))
        answers.append(Answer(part, _pages(group), text))
    run.latest = tuple(answers)
    return answers


def _refine(run: Run) -> Way:
    if len(run.chunks) > MOST_STEPS:
        message = f"The document has {len(run.chunks)} parts; one after the other, {MOST_STEPS} are taken at most."
        raise Failed("too_many_parts", message)
    answer: Answer | None = None
    for chunk in run.chunks:
        name, is_last = f"step-{chunk.number}", chunk.number == len(run.chunks)
        schema = run.recipe.schema if is_last else None
        more = {} if schema is None else {"output_schema": schema}
        prompt = run.recipe.map if answer is None else _reducing(run)
        values = {"document": chunk.text} | ({} if answer is None else {"answer": answer.text})
        request = run.request(name, chunk.number, chunk.pages, prompt, values, **more)
        ended = yield Stage(name, (request,), (len(run.chunks) - chunk.number) * request.weight)
        run.check(name, [chunk.pages], ended)
        if ended[0].status == "succeeded":
            seen = chunk.pages if answer is None else tuple(sorted({*answer.pages, *chunk.pages}))
            answer = Answer(chunk.number, seen, ended[0].text, ended[0].json)
            run.latest = (answer,)
    if answer is None:
        raise Failed("no_answers", "No part was answered.")
    return Final(answer.shown)


WAYS: dict[str, Callable[[Run], Way]] = {
    "map_reduce": _map_reduce,
    "refine": _refine,
    "concat": _concat,
    "per_page": _per_page,
    "extract": _extract,
}


def checked(run: Run, final: Final) -> Final:
    """A result with its citations held against the pages that there are."""
    final.notes = run.notes
    recipe = run.recipe
    cited = {page for text in _texts(final.answer) for page in cited_pages(text)}
    numbers = run.reading.numbers
    there, unknown = sorted(cited & numbers), sorted(cited - numbers)
    if recipe.citations == "off":
        return final
    if not cited and len(numbers) == 1 and final.answer:
        there = list(numbers)  # what is said of one page can be of no other
    final.citations = {"pages": run.reading.places(there), "unknown": unknown}
    if recipe.citations == "require" and (unknown or not there):
        what = f"cites [p. {unknown[0]}], which the document does not have" if unknown else "cites no page"
        raise Failed("unfounded_citation", f"The answer {what}.", (Answer(1, tuple(there), "", final.answer),))
    return final


def _weight_of_merging(run: Run, answers: int) -> int:
    """Of merging so many answers, until one is left."""
    out = run.recipe.output_tokens
    together = max(2, run.size // out)
    weight = 0
    while True:
        groups = -(-answers // together)
        weight += answers * out + groups * (PROMPT_TOKENS + OUTPUT_WEIGHT * out)
        if groups <= 1:
            return weight
        answers = groups


def _reducing(run: Run) -> PromptUse:
    return run.recipe.reduce or run.recipe.map


def _pages(group: Sequence[Answer]) -> tuple[int, ...]:
    return tuple(sorted({page for answer in group for page in answer.pages}))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)
