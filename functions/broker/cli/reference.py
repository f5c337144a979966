"""The reference page of the command, made of its own help: `python -m broker.cli.reference docs/command.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperGroup

from broker.cli.command import COMMON
from broker.cli.exits import MEANING
from broker.cli.next_steps import BY_CODE, BY_TYPE
from broker.cli.root import GROUPS, SHORT, root

TOP = """# The command

<!-- Made of the command's own help by `python -m broker.cli.reference docs/command.md`; a test compares them. -->

`broker` is what operators do to a stack, and what clients ask of it. `pip install -e .` installs it.

- **Which stack.** `--stack NAME` or `BROKER_STACK`, else `inference-broker`, with the AWS credentials and region of the
  shell or of `--profile`. Where the shell names no account and a stack runs on this machine (`.local/env`, here or in a
  folder above), it is that one, and the command says so; `--local` asks for it.
- **Which key.** What clients ask goes by `BROKER_API_KEY`, to `BROKER_URL` or the stack's own address.
- **What is printed.** On a terminal, tables and progress. Without one, a line for each row of a list, its cells two
  blanks apart, and one thing as JSON. `--json` prints JSON in either case: one thing with the API's names, a list as an
  array of such, and of `broker jobs tail` an object a line. Errors go to standard error, with `--json` as
  `{"error": {"type", "code", "message", "next_step"}, "exit_status"}`.
- **Trying it.** With `--dry-run`, which all commands have that change something, nothing changes, and what would is
  told.
- **Completion.** `eval "$(broker completion bash)"`, or `zsh`, in the shell's own file.

## Exit statuses

| status | |
|---|---|
"""

AFTER_STATUSES = """
An error of the API is told with what to do next:

| `type` or `code` | next |
|---|---|
{steps}
`broker doctor` has its own exit statuses: 2 with an error, 1 with a warning, 0 without either.

## Options that all commands have

May stand before the command or after it.

"""


def page() -> str:
    """The page."""
    command = root()
    statuses = "".join(f"| {status.value} | {what} |\n" for status, what in MEANING.items())
    common = "\n".join(_options(command, common=True))
    steps = "".join(f"| `{name}` | {step} |\n" for name, step in sorted((BY_TYPE | BY_CODE).items()))
    parts = [TOP + statuses + AFTER_STATUSES.format(steps=steps) + common + "\n"]
    parts += ["## Short forms\n", "| | stands for |\n|---|---|"]
    parts += [f"| `broker {short}` | `broker {full}` |" for short, full in SHORT.items()]
    for name in GROUPS:
        parts += ["", *_group(name, command)]
    return "\n".join(parts) + "\n"


def _group(name: str, command: Any) -> Iterator[str]:
    nowhere: Any = None
    group = command.get_command(nowhere, name)
    yield f"## broker {name}\n\n{group.help}"
    if implied := group.implied:
        yield f"\nWhere no command is named, `{implied}` is meant."
    for each in group.list_commands(nowhere):
        one = group.get_command(nowhere, each)
        assert not isinstance(one, TyperGroup), "groups have no groups"  # noqa: S101 - of the page's form
        words = " ".join(["broker", name, each, *(_argument(one_of) for one_of in _arguments(one))])
        yield f"\n### {name} {each}\n\n`{words}`\n\n{one.help}\n"
        yield from (f"- `{_argument(one_of)}`: {one_of.help}{_choices(one_of)}" for one_of in _arguments(one))
        yield from _options(one, common=False)


def _arguments(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "argument"]


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    many = "…" if argument.nargs == -1 else ""
    return f"{name}{many}" if argument.required else f"[{name}{many}]"


def _options(command: Any, *, common: bool) -> Iterator[str]:
    for each in command.params:
        is_option = each.param_type_name == "option" and each.name != "help"
        if is_option and (each.rich_help_panel == COMMON) is common and "--version" not in each.opts:
            value = "" if each.is_flag else f" {(each.metavar or each.name).upper()}"
            given = each.default not in (None, False) and not each.required
            default = f" `{each.default}` when left out." if given else ""
            need = " Needed." if each.required else ""
            yield f"- `{each.opts[0]}{value}`: {each.help}{_choices(each)}{default}{need}"


def _choices(parameter: Any) -> str:
    found = _literal(parameter.type_descriptor.annotation)
    return f" One of {', '.join(f'`{each}`' for each in found)}." if found else ""


def _literal(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for each in get_args(kind) if (found := _literal(each))), ())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
