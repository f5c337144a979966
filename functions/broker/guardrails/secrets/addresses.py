"""Addresses that carry a credential: user and password, signatures, connection strings, netrc."""

import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import CLOSE_LOOK, Scan
from broker.guardrails.secrets.randomness import is_placeholder
from broker.guardrails.secrets.values import is_told
from broker.guardrails.spans import Span

USERINFO = re.compile(
    r"(?P<user>[^\s:/?#@\"'<>\[\]{}()|\\]{0,100}+):(?P<password>[^\s@/\"'<>()\\]{4,200}+)@(?P<host>[\w.\-%\[]{2,255}+)"
)
SCHEME = re.compile(r"[a-z][a-z0-9+.\-]{1,24}\Z")

PRINTED = frozenset(
    "password passwd pass pwd token user username pw passw0rd mypassword mypass your_password yourpassword "
    "userpassword admin test api_key apikey key credentials foo bar baz pswd passwort string".split()
)
"""Passwords that manuals print in an address; beside a host of their own they are told, with a low score."""

MANUAL_HOSTS = re.compile(
    r"""(?xi)
    (?:[\w.-]+\.)? (?: example|test|invalid|localhost|local|host|hostname|server|proxy|domain|127\.0\.0\.1|0\.0\.0\.0
                     | ip|db|url|site|some\w*|my\w*|your\w*|foo|bar ) (?:\.\w{2,4})? \Z"""
)
SIGNATURE = re.compile(r"=(?P<value>[A-Za-z0-9%+/=_-]{32,400}+)")
CONNECTION = re.compile(r"\s{0,2}=\s{0,2}(?P<value>[^;\"'\s<>{}$%&]{3,128}+)")
PARTS = re.compile(
    r"(?:server|data source|host|uid|user ?id|user ?name|user|database|initial catalog|addr(?:ess)?|endpoint)\s{0,2}="
)
AROUND = 200
"""Characters on each side of a password in which the other parts of its connection string stand."""

PGPASS = re.compile(r"[\w*\-]{1,63}:[\w*\-]{1,63}:(?P<value>[^\s:\"'<>]{4,128})(?=\s|\Z)")
NETRC = re.compile(r"\s{1,4}\S{1,255}\s{1,8}login\s{1,4}\S{1,128}\s{1,8}password\s{1,4}(?P<value>\S{3,128})")


def find_userinfo(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of `scheme://user:password@host` (RFC 3986, section 3.2.1), whatever the scheme."""
    found = USERINFO.match(scan.text, end)
    if not found or not SCHEME.search(scan.lower, max(0, begin - 25), begin):
        return
    password, printed = found["password"], found["password"].lower() in PRINTED
    if is_placeholder(password) or password[0] in "$%{[*#" or (printed and MANUAL_HOSTS.match(found["host"])):
        return
    yield Span(*found.span("password"), "url_password", 0.5 if printed else 0.9)


def find_signature(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A signature that gives access by itself: Azure's SAS, S3's and Google's presigned addresses, Logic Apps."""
    found = SIGNATURE.match(scan.text, end)
    if found and not is_placeholder(found["value"]) and any(map(str.isdigit, found["value"])):
        yield Span(*found.span("value"), "signed_url", 0.9)


def find_connection(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of an ODBC, ADO.NET or JDBC connection string: between parts like `Server=…;` and `User ID=…;`."""
    lower, found = scan.lower, CONNECTION.match(scan.text, end)
    if not found or ";" not in lower[max(0, begin - 3) : begin] + lower[found.end() : found.end() + 2]:
        return
    if not found["value"].strip("*xX.") or found["value"].lower() in PRINTED:
        return
    scan.work.take(CLOSE_LOOK)
    around = lower[max(0, begin - AROUND) : begin] + ";" + lower[found.end() : found.end() + AROUND]
    if any(word in around for word in ("server", "source", "host", "database")) and len(PARTS.findall(around)) >= 2:
        yield Span(*found.span("value"), "connection_string", 0.8)


def find_netrc(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of a netrc entry."""
    found = NETRC.match(scan.text, end)
    if found and is_told(found["value"].strip("\"'")):
        yield Span(*found.span("value"), "netrc_password", 0.9)


def find_pgpass(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of a line of .pgpass: `host:5432:database:user:password`."""
    found = PGPASS.match(scan.text, end)
    if found and scan.text[max(0, begin - 1) : begin].strip() and is_told(found["value"]):
        yield Span(*found.span("value"), "pgpass_password", 0.8)
