"""`broker stack`: the deployed stack itself."""

import sys
from typing import Annotated, Literal

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Shown, record, said

app = group("The deployed stack: outputs, secrets, what is wrong with it, its end.")


@reads(app)
def outputs(shell: Shell) -> Shown:
    """Show the stack's outputs: base URL, bus, buckets, tables, queues."""
    return record(shell.outputs)


@changes(app)
def secret(
    shell: Shell, name: Annotated[str, Argument(help="Such as providers/openai or tenants/acme/webhook.")]
) -> Shown:
    """Store a secret read from standard input."""
    from broker.cli.stack import put_secret

    full = f"{shell.outputs['SecretsPrefix']}{name}"
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would store {full}", name=full)
    put_secret(shell.session, shell.outputs, name, sys.stdin.read().strip())
    return said(f"{name} stored", name=full)


@reads(app)
def doctor(
    shell: Shell,
    policy: Annotated[
        bool, Option("--policy", help="Print the IAM policy that all checks need, and no more.", show_default=False)
    ] = False,
) -> Shown:
    """Find what keeps the stack from working, and how to mend it.

    The exit status is 2 with an error, 1 with a warning, or 0.
    """
    from broker.cli.doctor import doctor

    return doctor(shell.session, shell.stack, policy=policy)


@changes(app)
def teardown(
    shell: Shell,
    yes: Annotated[
        bool, Option("--yes", help="Do it; without, it is shown what would go.", show_default=False)
    ] = False,
    days: Annotated[
        int, Option(min=7, max=30, metavar="7-30", help="How long the key and the secrets can be had back.")
    ] = 30,
) -> Shown:
    """Remove the stack and all that it holds."""
    from broker.cli.teardown import teardown

    return teardown(shell.session, shell.stack, yes=yes and not shell.dry_run, days=days)


@reads(app)
def completion(
    shell: Shell, name: Annotated[Literal["bash", "zsh"], Argument(metavar="SHELL", help="bash or zsh.")]
) -> Shown:
    """Print a script that completes this command in your shell."""
    from broker.cli.completion import script

    text = script(name)
    return Shown({"script": text}, text)
