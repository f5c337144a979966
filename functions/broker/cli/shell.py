"""One run of the command: its arguments, and what it works on."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3

from broker.cli.stack import registry_of, stack_outputs
from broker.cli.this_machine import LocalSession
from broker.registry.versions import Registry


@dataclass(frozen=True)
class Shell:
    """Arguments, environment, and the stack; what needs credentials is looked up when it is asked for."""

    options: argparse.Namespace
    environment: Mapping[str, str]
    """The shell's, over what is known of the stack on this machine."""
    local: Mapping[str, str] | None = None
    """The stack on this machine, where that one is meant."""

    @cached_property
    def session(self) -> Any:
        """A session of the account, or of the embedded cloud."""
        return LocalSession(self.local) if self.local else boto3.Session()

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return stack_outputs(self.session, self.options.stack)

    @property
    def registry(self) -> Registry:
        """The stack's registry."""
        return registry_of(self.session, self.outputs)
