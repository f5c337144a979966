"""`broker completion`: a script for the shell, made of the parser, so that it knows what there is."""

import argparse
from collections.abc import Iterator

SCRIPT = """\
# Put into ~/.{shell}rc: eval "$(broker completion {shell})"
{before}_broker() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} path="" each
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path $each" in
{steps}
        esac
    done
    case "$path" in
{words}
    esac
}}
complete -o default -F _broker broker
"""

SHELLS = {"bash": "", "zsh": "autoload -U +X bashcompinit && bashcompinit\n"}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script, for `bash` or `zsh`."""
    known = dict(_commands(parser, ""))
    steps = "\n".join(f'            "{path}") path="{path}" ;;' for path in known if path)
    words = "\n".join(
        f'        "{path}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")) ;;'
        for path, words in known.items()
    )
    return SCRIPT.format(shell=shell, before=SHELLS[shell], steps=steps, words=words)


def _commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """Each command by its words, with a blank before each, and what may follow it."""
    following: dict[str, argparse.ArgumentParser] = {}
    words: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            following |= action.choices
        else:
            words += [*action.option_strings, *(map(str, action.choices or ()) if not action.option_strings else ())]
    yield path, [*following, *words]
    for name, command in following.items():
        yield from _commands(command, f"{path} {name}")
