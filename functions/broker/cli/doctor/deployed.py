"""The stack that is looked at: what CloudFormation says of it, and its registry."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from broker.cli.doctor.account import READS_REGISTRY, Account, NotRead, not_read
from broker.cli.doctor.finding import Finding, Severity, warning
from broker.cli.stack import registry_of
from broker.clock import iso

DEFAULT_NAME = "inference-broker"

GIVE_RIGHTS = 'aws iam create-policy --policy-name broker-doctor --policy-document "$(broker doctor --policy)"'
"""Makes the policy; who is to have it, only who administers the account can say."""


@dataclass(frozen=True)
class Deployed:
    """A stack; `now` in milliseconds."""

    account: Account
    name: str
    description: Mapping[str, Any]
    resources: Mapping[str, tuple[str, str]]
    """By logical id: type and physical id."""
    now: int

    @property
    def is_local(self) -> bool:
        """True on the embedded cloud."""
        return self.parameters.get("Target") == "local"

    @cached_property
    def parameters(self) -> dict[str, str]:
        """What the stack was deployed with."""
        given = self.description.get("Parameters", ())
        return {each["ParameterKey"]: each.get("ParameterValue", "") for each in given}

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs; empty while it is not whole."""
        return {each["OutputKey"]: each["OutputValue"] for each in self.description.get("Outputs", ())}

    @property
    def today(self) -> str:
        """The day, as 2026-11-30."""
        return str(iso(self.now))[:10]

    @property
    def region(self) -> str:
        """The region that the stack is in."""
        return str(self.description["StackId"]).split(":")[3]

    @property
    def partition(self) -> str:
        """The part of AWS that it is in, such as `aws-cn`."""
        return str(self.description["StackId"]).split(":")[1]

    @property
    def account_id(self) -> str:
        """Twelve digits."""
        return str(self.description["StackId"]).split(":")[4]

    def of_type(self, *kinds: str) -> dict[str, str]:
        """Physical ids of the stack's resources of these types, by logical id."""
        return {name: physical for name, (kind, physical) in self.resources.items() if kind in kinds}

    def entries(self, kind: str) -> dict[str, dict[str, Any]]:
        """What is registered of a kind, by id, without long texts.

        Raises:
            NotRead: the registry cannot be read.
        """
        return {entry_id: record.short for entry_id, record in self._records(kind).items()}

    def versions(self, kind: str, entry_id: str) -> list[tuple[int, dict[str, Any]]]:
        """Number and content of an entry's versions, the newest first.

        Raises:
            NotRead: the registry cannot be read.
        """
        try:
            return [(each.version, each.short) for each in self._registry.history(kind, entry_id)]
        except ClientError as error:
            raise not_read(READS_REGISTRY, error) from None

    def broker(self, command: str) -> str:
        """A command of ours for this stack."""
        return f"broker {command}" if self.name == DEFAULT_NAME else f"broker --stack {self.name} {command}"

    def deploy(self, **parameters: Any) -> str:
        """The command that deploys it again, with other parameters; those that are not named stay as they are."""
        named = "" if self.name == DEFAULT_NAME else f" --stack-name {self.name}"
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in parameters.items())
        return f"sam build && sam deploy{named}" + (f" --parameter-overrides {given}" if given else "")

    def restore(self) -> str:
        """The command by which CloudFormation makes again what somebody deleted; a deployment does not look for it."""
        kept = " ".join(f"ParameterKey={name},UsePreviousValue=true" for name in sorted(self.parameters))
        of = f"--stack-name {self.name} --change-set-name doctor"
        return (
            f"aws cloudformation create-change-set {of} --use-previous-template --deployment-mode REVERT_DRIFT"
            f" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameters {kept}"
            f" && aws cloudformation wait change-set-create-complete {of}"
            f" && aws cloudformation execute-change-set {of}"
        )

    @cached_property
    def _registry(self) -> Any:
        return registry_of(self.account.session, self.outputs)

    def _records(self, kind: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._registry.all(kind)
        except ClientError as error:
            raise not_read(READS_REGISTRY, error) from None
        return found


def readable(deployed: Deployed, part: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a part as far as they can be read, and that the rest could not be."""
    try:
        yield from part
    except NotRead as error:
        yield unread(error, is_local=deployed.is_local)


def unread(error: NotRead, *, is_local: bool) -> Finding:
    """What it means that something was not answered."""
    if is_local:
        return Finding(Severity.UNCHECKED, f"the embedded cloud does not answer {error.right}")
    if error.denied:
        return warning(f"this could not be checked: your credentials lack the right {error.right}", GIVE_RIGHTS)
    return warning(f"this could not be checked: {error.right} was answered with {error.why}", "broker doctor")
