"""How commands are written: one group in a file, each command a function of the shell and its own arguments.

A group is `app = group("what it is about")` in a module of `broker.cli.groups`, and a row in `root.GROUPS`. Commands
are functions below `@reads(app)` or `@changes(app)`; their first parameter is the `Shell`, the others are Typer's. They
give what is `Shown`, or nothing where they have printed it themselves. All have `--json`, `--stack`, `--local` and
`--profile`, after the command as well as before it, and those that change something `--dry-run`.

Nothing heavy is imported outside functions here and in groups: each call of the command pays for it.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from broker.cli.running import Wanted, run
from broker.cli.shown import Shown

Work = Callable[..., Shown | None]
AnyWork = TypeVar("AnyWork", bound=Work)

COMMON = "Options that all commands have"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=COMMON, show_default=False)]
StackName = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="BROKER_STACK, or inference-broker.", rich_help_panel=COMMON),
]
Local = Annotated[
    bool,
    typer.Option("--local", help="The stack that `make up` started.", rich_help_panel=COMMON, show_default=False),
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Of AWS's configuration.", rich_help_panel=COMMON)
]

OPTIONS: dict[str, tuple[Any, Any]] = {
    "as_json": (AsJson, False),
    "stack": (StackName, None),
    "local": (Local, False),
    "profile": (Profile, None),
}
"""Of all commands, by the field of a `Wanted`: the type as Typer takes it, and what holds when it is left out."""

DRY_RUN = (
    Annotated[bool, typer.Option("--dry-run", help="Change nothing, and say what would change.", show_default=False)],
    False,
)


class Group(TyperGroup):
    """A group of commands, one of which may be meant where none is named."""

    implied = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command that is meant: `broker jobs --status failed` lists, `broker key acme …` makes a key."""
        if self.implied and args[:1] != ["--help"] and (not args or args[0] not in self.commands):
            args = [self.implied, *args]
        return super().parse_args(ctx, args)


def group(about: str, *, implied: str = "") -> typer.Typer:
    """A group; `implied` is the command that is meant where none is named."""
    kind = type("Group", (Group,), {"implied": implied})
    app = typer.Typer(cls=kind, help=about, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)  # also one of a single command is a group
    return app


def reads(app: typer.Typer, name: str | None = None, **more: Any) -> Callable[[AnyWork], AnyWork]:
    """Register a command that changes nothing; `more` is Typer's."""
    return _registered(app, name, {}, more)


def changes(app: typer.Typer, name: str | None = None, **more: Any) -> Callable[[AnyWork], AnyWork]:
    """Register a command that changes something, and says with `--dry-run` what that would be."""
    return _registered(app, name, {"dry_run": DRY_RUN}, more)


def _registered(
    app: typer.Typer, name: str | None, own: dict[str, Any], more: dict[str, Any]
) -> Callable[[AnyWork], AnyWork]:
    def register(work: AnyWork) -> AnyWork:
        common = own | OPTIONS

        @wraps(work)
        def wrapper(ctx: typer.Context, **given: Any) -> int:
            wanted = Wanted(**{each: given.pop(each) for each in common})
            return run(lambda shell: work(shell, **given), wanted.over(ctx.obj))

        _, *parameters = inspect.signature(work).parameters.values()
        added = [
            inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for each, (kind, default) in common.items()
        ]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        taken = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        wrapper.__signature__ = inspect.Signature([context, *taken, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {each.name: each.annotation for each in (context, *taken, *added)}
        app.command(name, **more)(wrapper)
        return work

    return register
