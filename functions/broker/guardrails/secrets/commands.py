"""Passwords that commands and constructors are given: curl, sshpass, psexec, PowerCLI, .NET."""

import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import is_placeholder
from broker.guardrails.secrets.values import STOCK
from broker.guardrails.spans import Span

CURL = re.compile(
    r"[^\r\n]{0,300}?\s(?:-u|--user)[ =]{1,2}[\"']?[^\s:\"']{0,64}+:(?P<value>[^\s\"'$%]{3,128}+)(?=[\s\"']|\Z)"
)
OPTION = re.compile(r"[^\r\n]{1,200}?\s-(?:p|password|pass)[ :=]{1,2}[\"']?(?P<value>[^\s\"'$%]{4,60}+)", re.I)
TEXT = r"[\"'][^\"'\r\n]{1,100}[\"']\s{0,4},\s{0,12}"
CONSTRUCTOR = re.compile(r"\(\s{0,8}" + TEXT + "(?:" + TEXT + r")?[\"'](?P<value>[^\"'\r\n]{4,100})[\"']\s{0,4}[,)]")
"""The last of two or three texts between parentheses."""


def find_in_command(scan: Scan, begin: int, end: int, pattern: re.Pattern[str]) -> Iterator[Span]:
    """At most one span: what the pattern calls `value`, behind a command's name."""
    found = pattern.match(scan.text, end)
    if found and found["value"].lower() not in STOCK and not is_placeholder(found["value"]):
        yield Span(*found.span("value"), "password", 0.7)
