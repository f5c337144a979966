"""One run of the command: what it works on, and how it is to tell what came of it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from broker.errors import InvalidRequest

if TYPE_CHECKING:
    from broker.cli.rest_client import RestClient
    from broker.cloud.database import DynamoDatabase
    from broker.registry.versions import Registry

STACK = "inference-broker"


@dataclass(frozen=True)
class Shell:
    """The environment and the stack; what needs credentials is looked up, and imported, when it is asked for."""

    environment: Mapping[str, str]
    """The shell's, over what is known of the stack on this machine."""
    stack: str = STACK
    local: Mapping[str, str] | None = None
    """The stack on this machine, where that one is meant."""
    profile: str | None = None
    """Of AWS's configuration; the environment's own when None."""
    as_json: bool = False
    """Tell all as JSON."""
    dry_run: bool = False
    """Change nothing, and say what would change."""

    @cached_property
    def session(self) -> Any:
        """A session of the account, or of the embedded cloud."""
        if self.local:
            from broker.cli.local_session import LocalSession

            return LocalSession(self.local)
        import boto3

        return boto3.Session(profile_name=self.profile)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        from broker.cli.stack import stack_outputs

        return stack_outputs(self.session, self.stack)

    @property
    def tables(self) -> "DynamoDatabase":
        """The stack's tables."""
        from broker.cli.stack import tables_of

        return tables_of(self.session, self.outputs)

    @property
    def registry(self) -> "Registry":
        """The stack's registry."""
        from broker.cli.stack import registry_of

        return registry_of(self.session, self.outputs)

    @property
    def address(self) -> tuple[str, str]:
        """The API that the environment names, or the stack's, and a key; the key is the environment's alone.

        Raises:
            InvalidRequest: there is no key.
        """
        key = self.environment.get("BROKER_API_KEY")
        if not key:
            raise NoKey("Put an API key into BROKER_API_KEY (`broker key TENANT --principal NAME` makes one).")
        return (self.environment.get("BROKER_URL") or self.outputs["ApiUrl"]).rstrip("/"), key

    @cached_property
    def api(self) -> "RestClient":
        """The API as `address` has it; with `dry_run` it is asked, and changes nothing."""
        from broker.cli.rest_client import RestClient

        return RestClient(*self.address, dry_run=self.dry_run)

    @property
    def on_terminal(self) -> bool:
        """True where people look at what is printed."""
        return not self.as_json and sys.stdout.isatty()


class NoKey(InvalidRequest):
    """There is nothing to call the API with."""

    status = 401
