"""What lets a shell, the `broker` command and the examples use the stack: `env` in its work folder."""

import shlex
from pathlib import Path
from typing import Protocol

from local.deployment import Cloud
from local.seeding import Seeded

NAME = "env"


class Running(Protocol):
    """The stack as it runs."""

    @property
    def cloud(self) -> Cloud:
        """The embedded cloud."""

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's."""

    @property
    def seeded(self) -> Seeded:
        """Keys and secrets."""


def variables(stack: Running) -> dict[str, str]:
    """By their names, in the order in which they are shown."""
    return {
        "BROKER_URL": stack.outputs["ApiUrl"],
        **({"BROKER_PUSH_URL": stack.outputs["PushUrl"]} if "PushUrl" in stack.outputs else {}),
        "BROKER_TENANT": "demo",
        "BROKER_API_KEY": stack.seeded.api_key,
        "BROKER_OTHER_API_KEY": stack.seeded.other_key,
        "BROKER_WEBHOOK_SECRET": stack.seeded.webhook_secret,
        "BROKER_BUS": stack.outputs["BusName"],
        "BROKER_INBOX": stack.outputs["InboxBucket"],
        "BROKER_OUTBOX": stack.outputs["OutboxBucket"],
        **stack.cloud.environment(),
    }


def write(stack: Running, folder: Path) -> Path:
    """Write the file, for nobody else to read; gives it. A shell takes it by `. .local/env`."""
    file = folder / NAME
    file.touch(mode=0o600)
    file.chmod(0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables(stack).items()]
    file.write_text("".join(lines))
    return file


def remove(folder: Path) -> None:
    """Take it away, for the stack is down."""
    (folder / NAME).unlink(missing_ok=True)
