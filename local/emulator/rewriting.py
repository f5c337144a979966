"""A function of the emulator with a few of its lines changed, refused where they are no longer as they were."""

import inspect
import textwrap
from types import ModuleType
from typing import Any


class DoesNotFit(RuntimeError):
    """The emulator that is installed is not the one that a patch was written for."""


def rewrite(owner: ModuleType | type, name: str, *changes: tuple[str, str]) -> None:
    """Put the function `name` of a module or a class in its place again, compiled from its changed source.

    Args:
        owner: where the function is.
        name: its name there.
        changes: what stands in its source just once, and what is to stand there.

    Raises:
        DoesNotFit: there is no such function, or a text stands in it never or more than once.
    """
    function: Any = getattr(owner, name, None)
    if not inspect.isfunction(function):
        raise DoesNotFit(f"{owner.__name__} has no function {name}")
    source = textwrap.dedent(inspect.getsource(function))
    for before, after in changes:
        source = replaced(source, before, after, where=f"{owner.__name__}.{name}")
    made: dict[str, Any] = {}
    code = compile(source, inspect.getsourcefile(function) or name, "exec")
    exec(code, function.__globals__, made)  # noqa: S102 - the emulator's own source
    setattr(owner, name, made[name])


def replaced(text: str, before: str, after: str, *, where: str) -> str:
    """`text` with one place changed.

    Raises:
        DoesNotFit: `before` does not stand in it just once.
    """
    if text.count(before) != 1:
        raise DoesNotFit(f"{where} is not as the patch knows it: {before.strip()[:60]!r}")
    return text.replace(before, after)
