"""The stack on this machine, where `make up` left word of it.

`.local/env` in the working folder or one above it names its endpoint, credentials that stand for nothing, its base URL
and an API key. It is read like data and never run, and only where it is the user's own and points to this machine: who
works in a strange folder must not have an account's secrets sent to whoever wrote a file there.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import InvalidRequest

FILE = Path(".local", "env")

ANOTHER = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "BROKER_STACK",
    "BROKER_URL",
)
"""Who sets one of these means a stack by it, and not whichever runs here."""

LINE = re.compile(r"export ([A-Z_]+)=(.*)")

NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def local_stack(*, wanted: bool, named: bool, environment: Mapping[str, str], folder: Path) -> dict[str, str] | None:
    """What is known of the stack on this machine; None where none is meant.

    Args:
        wanted: it is asked for (`--local`).
        named: another one is (`--stack`).
        environment: the shell's.
        folder: the working folder.

    Raises:
        InvalidRequest: it is asked for and does not run, or its file is not to be trusted.
    """
    if not wanted and (named or any(environment.get(name) for name in ANOTHER)):
        return None
    file = next((each / FILE for each in (folder, *folder.parents) if (each / FILE).is_file()), None)
    if file is None and wanted:
        raise InvalidRequest(f"There is no {FILE} here or above: `make up` starts a stack on this machine.")
    return None if file is None else _read(file)


def is_loopback(url: str) -> bool:
    """True for addresses of this machine."""
    return urlsplit(url).hostname in LOOPBACK


def _read(file: Path) -> dict[str, str]:
    if file.stat().st_uid != os.getuid():
        raise InvalidRequest(f"{file} is not yours, so it is not followed.")
    lines = (LINE.fullmatch(line) for line in file.read_text(encoding="utf-8").splitlines())
    found = {line[1]: "".join(shlex.split(line[2])) for line in lines if line}
    if missing := next((name for name in NEEDED if not found.get(name)), None):
        raise InvalidRequest(f"{file} has no {missing}, so it is not followed.")
    for name in ("AWS_ENDPOINT_URL", "BROKER_URL"):
        if not is_loopback(found.get(name, "")):
            raise InvalidRequest(f"{file}: {name} is not on this machine, so it is not followed.")
    return found
