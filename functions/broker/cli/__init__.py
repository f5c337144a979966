"""The `broker` command: what an operator does to a deployed stack, and what a client asks of it.

Its own help says what there is (`broker --help`, and docs/command.md). `root` has the groups, `groups` a file for each,
and `command` says how one is written. Nothing that takes time to import is imported before it is needed.
"""

from typing import TYPE_CHECKING, Any

from broker.cli.main import main

if TYPE_CHECKING:
    from broker.cli.stack import ALL_SCOPES, create_key, put_secret, registry_of, stack_outputs, tables_of

__all__ = ["ALL_SCOPES", "create_key", "main", "put_secret", "registry_of", "stack_outputs", "tables_of"]


def __getattr__(name: str) -> Any:
    """What others do to a stack, which needs AWS's packages (PEP 562)."""
    if name not in __all__:
        raise AttributeError(name)
    from broker.cli import stack

    return getattr(stack, name)
