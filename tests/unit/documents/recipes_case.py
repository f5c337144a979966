"""What tests of recipes begin with: documents of many pages, and models that answer as they are told."""

from collections.abc import Callable, Sequence
from typing import Any

from broker.documents.planning import Fit, next_step
from broker.documents.reading import Reading, of_text
from broker.documents.recipe import PromptUse, Recipe
from broker.documents.steps import Ended, Final, Request, Stage, ranges
from broker.postprocessing.citations import cited_pages

SENTENCE = "The keeper climbed the stair and lit the lamp before the ships came in. "
FIT = Fit(300)
"""A page of `document` is a part."""

Model = Callable[[str, Request], Ended | str | dict[str, Any]]
"""What a child comes to: by the name of its stage and its request."""


def recipe(way: Any = "map_reduce", **changes: Any) -> Recipe:
    reduce = PromptUse("join") if way in ("map_reduce", "refine") else None
    return Recipe(
        "r", 1, way, PromptUse("ask"), reduce, **({"request": {"parameters": {"max_output_tokens": 50}}} | changes)
    )


def document(pages: int, text: str = SENTENCE * 8) -> Reading:
    return of_text("a.txt", "\f".join(f"# Page {number}\n\n{text}" for number in range(1, pages + 1)))


def said(request: Request) -> str:
    """All that a child is given to read."""
    return "\n".join(str(value) for value in request.body["prompt"]["variables"].values())


def cites(stage: str, request: Request) -> str:
    """A model that cites each page that it reads of, a hundred at most."""
    return f"{stage} {request.part}: [pp. {ranges(tuple(sorted(cited_pages(said(request)))))}]"


class Life:
    """A document from its first stage to its result."""

    def __init__(self, reading: Reading, recipe: Recipe, model: Model = cites, fit: Fit = FIT, cost: int = 0) -> None:
        self.stages: list[Stage] = []
        self.ended: list[Sequence[Ended]] = []
        while isinstance(step := next_step(reading, recipe, fit, self.ended), Stage):
            again = next_step(reading, recipe, fit, self.ended)
            assert again == step, "the same question has the same answer"
            assert len(self.stages) < 400, "it does not come to an end"
            self.stages.append(step)
            self.ended.append([_ended(model(step.name, request), cost) for request in step.requests])
        self.final: Final = step

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(stage.name, len(stage.requests)) for stage in self.stages]

    @property
    def requests(self) -> list[Request]:
        return [request for stage in self.stages for request in stage.requests]


def _ended(given: Ended | str | dict[str, Any], cost: int) -> Ended:
    match given:
        case Ended():
            return given
        case str():
            return Ended("succeeded", given, cost=cost)
    return Ended("succeeded", "", given, cost=cost)


def failed(status: str, code: str = "no_model") -> Ended:
    return Ended(status, error={"type": "x", "code": code, "message": "m"})
