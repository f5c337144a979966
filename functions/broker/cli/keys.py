"""`broker key`: API keys of tenants, which are shown once, when they are made."""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping

from broker.cli.printable import on_one_line
from broker.cli.shell import Shell
from broker.cli.stack import ALL_SCOPES, KNOWN_SCOPES, caller, create_key, tables_of
from broker.clock import iso, now_ms
from broker.cloud.database import DynamoDatabase
from broker.errors import Forbidden, InvalidRequest, NotFound
from broker.registry.document import parse_limits
from broker.storage import Item
from broker.tenants.api_keys import key_hash, key_id, limiting, of_tenant, revocation, well_formed
from broker.tenants.applications import find_application
from broker.tenants.registry import Tenants

ACTIONS = ("create", "list", "limit", "revoke")


def spelled_out(arguments: list[str]) -> list[str]:
    """`broker key acme …` is `broker key create acme …`; a tenant called as an action needs the longer form."""
    command = next(
        (
            place
            for place, each in enumerate(arguments)
            if not each.startswith("-") and arguments[place - 1 : place] != ["--stack"]
        ),
        len(arguments),
    )
    following = arguments[command + 1 : command + 2]
    if arguments[command : command + 1] != ["key"] or not following or following[0] in (*ACTIONS, "-h", "--help"):
        return arguments
    return [*arguments[: command + 1], "create", *arguments[command + 1 :]]


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker key`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{TENANT,list,limit,revoke}")
    one = actions.add_parser("create", help="make a key for a tenant; it is shown once (`create` may be left out)")
    one.add_argument("tenant")
    one.add_argument("--principal", required=True, help="who will use it")
    one.add_argument("--application", help="the tenant's application that it belongs to")
    one.add_argument("--scopes", default=",".join(ALL_SCOPES), help="comma-separated")
    one.add_argument("--days", type=int, help="how long it is valid; for ever when left out")
    _add_limit(one, "a limit of its own, beside its tenant's: requests_per_minute=60; may be repeated")
    one = actions.add_parser("limit", help="give a key these limits of its own in place of those that it has")
    one.add_argument("tenant", help="whose it is")
    one.add_argument("id", help="as `list` shows it")
    _add_limit(one, "requests_per_minute=60; may be repeated; without any it has none")
    one = actions.add_parser("list", help="the keys that there are, by their ids; never the keys themselves")
    one.add_argument("tenant", nargs="?", help="of this tenant alone")
    one = actions.add_parser("revoke", help="have a key open nothing any more, within a minute or two")
    one.add_argument("tenant", nargs="?", help="whose it is")
    one.add_argument(
        "id", nargs="?", help="as `list` shows it; without both, the key itself is read from standard input"
    )


def _add_limit(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER", help=text)


def key(shell: Shell) -> str:
    """Do what `broker key` was asked; gives what it prints."""
    return {"create": _create, "list": _list, "limit": _limit, "revoke": _revoke}[shell.options.action](shell)


def _create(shell: Shell) -> str:
    options = shell.options
    scopes = tuple(options.scopes.split(","))
    if strange := set(scopes) - {*KNOWN_SCOPES}:
        raise InvalidRequest(f"Unknown scopes: {', '.join(sorted(strange))}.", param="scopes")
    if options.days is not None and options.days < 1:
        raise InvalidRequest("A key is valid for a day at least.", param="days")
    limits = _limits(options.limit)
    tables = tables_of(shell.session, shell.outputs)
    try:
        Tenants(tables).get(options.tenant, now_ms())  # a key of one that is not registered opens nothing
    except Forbidden as error:
        if error.code != "unknown_tenant":
            raise
        what = f"The tenant {options.tenant!r} is not registered; `broker apply` registers tenants."
        raise Forbidden(what, code=error.code, param="tenant") from None
    if options.application and find_application(tables, options.tenant, options.application) is None:
        what = f"The tenant {options.tenant!r} has no application {options.application!r} in use."
        raise NotFound(what, code="unknown_application", param="application")
    by = caller(shell.session)
    return create_key(tables, options.tenant, options.principal, scopes, options.days, limits, options.application, by)


def _limits(said: list[str]) -> dict[str, int]:
    """The limits of a key, by name; held against the same rules as a tenant's."""
    named = dict(each.partition("=")[::2] for each in said)
    return parse_limits(
        {name: int(text) if re.fullmatch("[0-9]{1,18}", text) else text for name, text in named.items()}
    )


def _limit(shell: Shell) -> str:
    tables, limits = tables_of(shell.session, shell.outputs), _limits(shell.options.limit)
    item = _found(tables, shell.options.tenant, shell.options.id)
    tables.write(*limiting(item, limits))
    return on_one_line(f"{shell.options.id} of {item['tenant']}: {_shown(limits) or 'no limits of its own'}")


def _shown(limits: Mapping[str, int]) -> str:
    return "  ".join(f"{name}={amount}" for name, amount in limits.items())


def _list(shell: Shell) -> str:
    tables, now = tables_of(shell.session, shell.outputs), now_ms()
    named = shell.options.tenant
    tenants = [named] if named else sorted(shell.registry.all("tenants"))
    found = [_line(item, now) for tenant in tenants for item in of_tenant(tables, tenant)]
    return "\n".join([*found, f"{len(found)} keys"])


def _line(item: Item, now: int) -> str:
    until = item.get("valid_until")
    state = item["status"] if item["status"] != "active" or not until or until > now else "expired"
    facts: Iterable[str] = (
        *(item["sk"], item["tenant"], item["principal"], state, ",".join(item["scopes"])),
        *(f"since {iso(item['created_at'])}", f"until {iso(until)}" if until else "for ever"),
        f"application {item['application']}" if "application" in item else "",
        _shown(item.get("limits", {})),
    )
    return on_one_line("  ".join(filter(None, facts)))


def _revoke(shell: Shell) -> str:
    tables, options = tables_of(shell.session, shell.outputs), shell.options
    if options.tenant and not options.id:
        raise InvalidRequest("The key's id is needed too; `broker key list` shows it.", param="id")
    item = _found(tables, options.tenant, options.id)
    tables.write(*revocation(item, by=caller(shell.session), now=now_ms()))
    named = key_id(item["pk"].removeprefix("KEY#"))
    return f"{named} of {item['tenant']} is revoked; API Gateway may take it for a minute more"


def _found(tables: DynamoDatabase, tenant: str | None, named: str | None) -> Item:
    """A tenant's key by its id, or without that the key itself, from standard input."""
    if named and tenant:
        digest = next((each["digest"] for each in of_tenant(tables, tenant) if each["sk"] == named), None)
    else:
        text = sys.stdin.read().strip()
        digest = key_hash(text) if well_formed(text) else None
    item = tables.get("registry", f"KEY#{digest}", "KEY") if digest else None
    if item is None:
        raise NotFound("There is no such key.", code="unknown_key", param="id")
    return item
