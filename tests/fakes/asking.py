"""Questions to the selection, and what is read from its answers."""

from typing import Any

from broker.routing.figures import Figures
from broker.routing.question import Question
from broker.routing.routes import Catalog
from broker.routing.selection import select
from broker.storage import Item

from tests.fakes.world import NOW, World, a_model

THREE = (a_model("b", rank=10), a_model("a", rank=10), a_model("c", rank=5))


def catalog(*items: Item) -> Catalog:
    """The registry with these entries."""
    world = World()
    world.register(*items)
    return world.models().catalog(NOW)


def row(name: str, *models: Any, **more: Any) -> Item:
    """A row of the table of routes."""
    listed = [{"model": each} if isinstance(each, str) else each for each in models]
    return {"pk": "MODELS", "sk": f"ROUTE#{name}", "models": listed, **more}


def alias(name: str, *models: str) -> Item:
    """An alias."""
    return {"pk": "MODELS", "sk": f"ALIAS#{name}", "models": list(models)}


def ask(request: dict[str, Any] | None = None, tokens: int = 10, **known: Any) -> Question:
    """A small chat, and what is known when it is asked."""
    return Question({"task": "chat", "input": {"text": "Hi"}, **(request or {})}, lambda model: tokens, NOW, **known)


def taken(known: Catalog, request: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """The ids of the candidates, in order."""
    return [model.id for model in select(ask(request, **more), known).candidates]


def why(known: Catalog, request: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
    """The reason for each model."""
    return {each["model"]: each["why"] for each in select(ask(request, **more), known).route}


def live(mean: int, calls: int = 100, failures: int = 0, p95: int | None = None) -> Figures:
    """Figures of this moment; milliseconds."""
    return Figures(NOW, calls, failures, mean, p95 or mean)
