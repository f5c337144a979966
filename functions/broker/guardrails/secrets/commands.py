"""Passwords that commands and constructors are given: curl, sshpass, psexec, PowerCLI, .NET."""

import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import is_placeholder
from broker.guardrails.secrets.values import STOCK
from broker.guardrails.spans import Span

USER_AND_PASSWORD = re.compile(r"[\"']?[^\s:\"']{0,64}+:(?P<value>[^\s\"'$%]{3,128}+)(?=[\s\"']|\Z)")
PASSWORD = re.compile(r"[\"']?(?P<value>[^\s\"'$%]{4,60}+)")
TEXT = r"[\"'][^\"'\r\n]{1,100}[\"']\s{0,4},\s{0,12}"
CONSTRUCTOR = re.compile(r"\(\s{0,8}" + TEXT + "(?:" + TEXT + r")?[\"'](?P<value>[^\"'\r\n]{4,100})[\"']\s{0,4}[,)]")
"""The last of two or three texts between parentheses."""

LINE = 300
"""Characters between a command's name and its option."""


def find_user_option(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of `curl -u user:password`."""
    if "curl" in scan.lower[max(0, begin - LINE) : begin]:
        yield from _password(scan, end, USER_AND_PASSWORD)


def find_password_option(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """What `-p` gives to a command that takes a password so."""
    line = scan.lower[max(0, begin - LINE) : begin]
    if "psexec" in line or "connect-viserver" in line or "sshpass" in line:
        yield from _password(scan, end, PASSWORD)


def find_constructor(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The last argument of .NET's NetworkCredential and DirectoryEntry."""
    yield from _password(scan, end, CONSTRUCTOR)


def _password(scan: Scan, end: int, pattern: re.Pattern[str]) -> Iterator[Span]:
    found = pattern.match(scan.text, end)
    if found and found["value"].lower() not in STOCK and not is_placeholder(found["value"]):
        yield Span(*found.span("value"), "password", 0.7)
