"""The commands that there are. A group is a row here and a file in `groups`, which is read when it is called."""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from broker.cli.command import AsJson, Local, Profile, StackName
from broker.cli.running import Wanted

GROUPS = {
    "jobs": "Submit jobs, find and follow them, explain and cancel them.",
    "batches": "Run the rows of a file as one piece of work.",
    "documents": "Have documents worked on by recipes.",
    "files": "Put, list, read and delete files of the key's tenant.",
    "models": "The models that a key may use.",
    "prompts": "Stored prompts, their variables and labels.",
    "registry": "Models, routes, tenants, prompts and the rest as files: plan, apply, roll back.",
    "keys": "Make API keys, list, limit and revoke them.",
    "tenants": "The tenants that are registered.",
    "webhooks": "Registered endpoints, what was delivered to them, and delivering it again.",
    "reviews": "Look at jobs that guardrails hold, and decide on them.",
    "usage": "What jobs used and cost, calls on record, and providers' bills that are held against them.",
    "feedback": "What was said of guardrails' findings.",
    "audit": "Hold the audit trail against its chain, and list what was done.",
    "dlq": "Look at dead letters, and send them to work again.",
    "bulk": "Cancel, or run again, all jobs that a filter finds.",
    "compat": "What a program, or a recording of its calls, would find here.",
    "stack": "The deployed stack: outputs, secrets, what is wrong with it, its end.",
}
"""What each is about; the module in `broker.cli.groups` is called the same."""

SHORT = {
    "submit": "jobs submit",
    "get": "jobs get",
    "wait": "jobs wait",
    "cancel": "jobs cancel",
    "batch": "batches",
    "document": "documents",
    "plan": "registry plan",
    "apply": "registry apply",
    "history": "registry history",
    "rollback": "registry rollback",
    "import": "registry import",
    "label": "prompts label",
    "key": "keys",
    "reconcile": "usage reconcile",
    "replay": "dlq replay",
    "secret": "stack secret",
    "outputs": "stack outputs",
    "doctor": "stack doctor",
    "teardown": "stack teardown",
    "completion": "stack completion",
}
"""Shorter spellings, and what each stands for."""


class Root(TyperGroup):
    """`broker` itself: reads the module of a group when the group is called, and none for the list of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, groups first."""
        return [*GROUPS, *SHORT]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None where there is none."""
        if cmd_name not in self.commands and cmd_name in (*GROUPS, *SHORT):
            self.commands[cmd_name] = found(cmd_name)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Its help is made of the tables."""
        shown = Listing(name=self.name, commands=_named(), params=self.params, help=self.help, epilog=self.epilog)
        shown.format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Know all names, so that a slip of the keys is told what may have been meant."""
        known = self.commands
        if args and args[0] not in (*GROUPS, *SHORT):
            self.commands = {**_named(), **known}
        try:
            return super().resolve_command(ctx, args)
        finally:
            self.commands = known


class Listing(TyperGroup):
    """Names and what they are about, for help alone."""


def _named() -> dict[str, Any]:
    groups = {name: TyperCommand(name, help=about) for name, about in GROUPS.items()}
    panel = "Short forms"
    short = {
        name: TyperCommand(name, help=f"Short for `broker {full}`.", rich_help_panel=panel)
        for name, full in SHORT.items()
    }
    return groups | short


def found(name: str) -> Any:
    """A group, or a command by its short form, as Typer runs it."""
    group, _, command = SHORT.get(name, name).partition(" ")
    made = get_group(import_module(f"broker.cli.groups.{group}").app)
    return made.commands[command] if command else made


def _version(wanted: bool) -> None:
    if wanted:
        print(f"broker {version('inference-broker')}")
        raise typer.Exit


def root() -> Any:
    """The command as Typer runs it."""
    app = typer.Typer(cls=Root, add_completion=False, pretty_exceptions_enable=False)

    @app.callback()
    def broker(
        ctx: typer.Context,
        as_json: AsJson = False,
        stack: StackName = None,
        local: Local = False,
        profile: Profile = None,
        _: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        """Use and operate a deployed inference broker.

        It works with the AWS credentials and region of the shell; what clients ask goes by BROKER_API_KEY, to
        BROKER_URL or the stack's own address. Where the shell names no account and a stack runs on this machine, it
        works on that one.
        """
        ctx.obj = Wanted(as_json, stack, local, profile)

    return get_command(app)
