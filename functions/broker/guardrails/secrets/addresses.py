"""Addresses that carry a credential: user and password, signatures, connection strings, command lines, netrc."""

import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import is_placeholder
from broker.guardrails.spans import Span

USERINFO = re.compile(
    r"(?P<user>[^\s:/?#@\"'<>\[\]{}()|\\]{0,100}+):(?P<password>[^\s@/\"'<>()\\]{4,200}+)@(?P<host>[\w.\-%\[]{2,255}+)"
)
SCHEME = re.compile(r"[a-z][a-z0-9+.\-]{1,24}\Z")

STOCK = frozenset(
    "password passwd pass pwd token user username pw passw0rd mypassword mypass your_password yourpassword "
    "userpassword user:password admin test api_key apikey key credentials foo bar baz pswd passwort string".split()
)
"""Passwords that manuals print in an address; beside a host of their own they are told, with a low score."""

MANUAL_HOSTS = re.compile(r"(?:[\w.-]+\.)?(?:example|test|invalid|localhost|local|host|hostname|server|proxy|domain"
                          r"|127\.0\.0\.1|0\.0\.0\.0|ip|db|url|site|some\w*|my\w*|your\w*|foo|bar)(?:\.\w{2,4})?\Z", re.I)

SIGNATURES = re.compile(r"=(?P<value>[A-Za-z0-9%+/=_-]{32,400}+)")
CONNECTION = re.compile(r"\s{0,2}=\s{0,2}(?P<value>[^;\"'\s<>{}$%&]{3,128}+)")
PARTS = re.compile(r"(?i)(?:server|data source|host|uid|user ?id|user ?name|user|database|initial catalog|addr(?:ess)?|endpoint)\s{0,2}=")
CONSTRUCTOR = re.compile(
    r"\(\s{0,8}[\"'](?:[^\"'\r\n]{1,100})[\"']\s{0,4},\s{0,12}(?:[\"'][^\"'\r\n]{1,100}[\"']\s{0,4},\s{0,12})?[\"'](?P<value>[^\"'\r\n]{4,100})[\"']\s{0,4}[,)]"
)
COMMAND = re.compile(r"[^\r\n]{1,200}?\s-(?:p|password|pass)[ :=]{1,2}[\"']?(?P<value>[^\s\"'$%]{4,60}+)", re.I)
CURL = re.compile(
    r"[^\r\n]{0,300}?\s(?:-u|--user)[ =]{1,2}[\"']?(?P<user>[^\s:\"']{0,64}+):(?P<value>[^\s\"']{3,128}+)"
)
NETRC = re.compile(r"\s{1,4}(?P<host>\S{1,255})\s{1,8}login\s{1,4}\S{1,128}\s{1,8}password\s{1,4}(?P<value>\S{3,128})")


def find_userinfo(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of `scheme://user:password@host`, whatever the scheme."""
    text = scan.text
    found = USERINFO.match(text, end)
    if not found or not SCHEME.search(scan.lower[max(0, begin - 25) : begin]):
        return
    password = found["password"]
    if is_placeholder(password) or password[0] in "$%{[*#" or set(password) <= set("*.xX"):
        return
    if password.lower() in STOCK and MANUAL_HOSTS.match(found["host"]):
        return
    yield Span(*found.span("password"), "url_password", 0.9 if password.lower() not in STOCK else 0.5)


def find_signature(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A signature that gives access by itself: Azure's SAS, S3's and Google's presigned addresses, Logic Apps."""
    found = SIGNATURES.match(scan.text, end)
    if found and not is_placeholder(found["value"]) and any(c.isdigit() for c in found["value"]):
        yield Span(*found.span("value"), "signed_url", 0.9)


def find_connection(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of an ODBC, ADO.NET or JDBC connection string: between parts like `Server=…;` and `User ID=…;`."""
    found = CONNECTION.match(scan.text, end)
    if not found or found["value"].strip("*xX.") == "" or found["value"].lower() in STOCK:
        return
    around = scan.text[max(0, begin - 200) : begin] + "\0" + scan.text[found.end() : found.end() + 200]
    if ";" in around and len(PARTS.findall(around)) >= 2:
        yield Span(*found.span("value"), "connection_string", 0.8)


def find_netrc(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of a netrc entry."""
    found = NETRC.match(scan.text, end)
    if found and not is_placeholder(found["value"]):
        yield Span(*found.span("value"), "netrc_password", 0.9)


def find_constructor(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The last argument of .NET's NetworkCredential and DirectoryEntry."""
    found = CONSTRUCTOR.match(scan.text, end)
    if found and not is_placeholder(found["value"]):
        yield Span(*found.span("value"), "password", 0.7)


def find_command(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password on the command line of a tool that takes one: psexec, sshpass, PowerCLI."""
    found = COMMAND.match(scan.text, end)
    if found and not is_placeholder(found["value"]):
        yield Span(*found.span("value"), "password", 0.7)


def find_curl(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The password of `curl -u user:password`."""
    found = CURL.match(scan.text, end)
    if found and not is_placeholder(found["value"]) and found["value"].lower() not in STOCK:
        yield Span(*found.span("value"), "password", 0.7)
