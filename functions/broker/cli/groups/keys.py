"""`broker keys`: API keys of tenants, which are shown once, when they are made."""

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.printable import on_one_line
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Columns, Shown, rows, said
from broker.clock import iso, now_ms
from broker.errors import Forbidden, InvalidRequest, NotFound
from broker.storage import Item

app = group("Make API keys, list, limit and revoke them.", implied="create")

Tenant = Annotated[str, Argument(help="Whose it is.")]
Id = Annotated[str, Argument(metavar="ID", help="As `broker keys list` shows it.")]
Limit = Annotated[
    list[str] | None, Option("--limit", metavar="NAME=NUMBER", help="Such as requests_per_minute=60; may be repeated.")
]


@changes(app)
def create(
    shell: Shell,
    tenant: Tenant,
    principal: Annotated[str, Option(help="Who will use it.")],
    application: Annotated[str | None, Option(help="The tenant's application that it belongs to.")] = None,
    scopes: Annotated[str | None, Option(help="Comma-separated; what most clients need when left out.")] = None,
    days: Annotated[int | None, Option(help="How long it is valid; for ever when left out.")] = None,
    limit: Limit = None,
) -> Shown:
    """Make a key for a tenant; it is shown once (`create` may be left out).

    A --limit is the key's own, beside its tenant's.
    """
    from broker.cli.stack import ALL_SCOPES, KNOWN_SCOPES, caller, create_key
    from broker.tenants.applications import find_application
    from broker.tenants.registry import Tenants

    wanted = tuple(scopes.split(",")) if scopes else ALL_SCOPES
    if strange := set(wanted) - {*KNOWN_SCOPES}:
        raise InvalidRequest(f"Unknown scopes: {', '.join(sorted(strange))}.", param="scopes")
    if days is not None and days < 1:
        raise InvalidRequest("A key is valid for a day at least.", param="days")
    limits = _limits(limit or [])
    try:
        Tenants(shell.tables).get(tenant, now_ms())  # a key of one that is not registered opens nothing
    except Forbidden as error:
        if error.code != "unknown_tenant":
            raise
        what = f"The tenant {tenant!r} is not registered; `broker apply` registers tenants."
        raise Forbidden(what, code=error.code, param="tenant") from None
    if application and find_application(shell.tables, tenant, application) is None:
        what = f"The tenant {tenant!r} has no application {application!r} in use."
        raise NotFound(what, code="unknown_application", param="application")
    facts: dict[str, Any] = {"tenant": tenant, "principal": principal, "application": application}
    facts |= {"scopes": [*wanted], "days": days, "limits": dict(limits)}
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would make a key of {tenant} for {principal}: {','.join(wanted)}", **facts)
    made = create_key(shell.tables, tenant, principal, wanted, days, limits, application, caller(shell.session))
    return said(made, key=made, **facts)


def _limits(given: list[str]) -> dict[str, int]:
    """The limits of a key, by name; held against the same rules as a tenant's."""
    from broker.registry.document import parse_limits

    named = dict(each.partition("=")[::2] for each in given)
    return parse_limits(
        {name: int(text) if re.fullmatch("[0-9]{1,18}", text) else text for name, text in named.items()}
    )


@changes(app)
def limit(shell: Shell, tenant: Tenant, id: Id, limit: Limit = None) -> Shown:
    """Give a key these limits of its own in place of those that it has; without any it has none."""
    from broker.tenants.api_keys import limiting

    limits = _limits(limit or [])
    item = _found(shell, tenant, id)
    text = on_one_line(f"{id} of {item['tenant']}: {_shown(limits) or 'no limits of its own'}")
    facts = {"id": id, "tenant": item["tenant"], "limits": dict(limits)}
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would be: {text}", **facts)
    shell.tables.write(*limiting(item, limits))
    return said(text, **facts)


def _shown(limits: Mapping[str, int]) -> str:
    return "  ".join(f"{name}={amount}" for name, amount in limits.items())


@reads(app, "list")
def list_keys(shell: Shell, tenant: Annotated[str | None, Argument(help="Of this tenant alone.")] = None) -> Shown:
    """List the keys that there are, by their ids; never the keys themselves."""
    from broker.tenants.api_keys import of_tenant

    tables, now = shell.tables, now_ms()
    tenants = [tenant] if tenant else sorted(shell.registry.all("tenants"))
    found = [_row(item, now) for each in tenants for item in of_tenant(tables, each)]
    return rows(found, COLUMNS, f"{len(found)} keys")


def _row(item: Item, now: int) -> dict[str, Any]:
    until = item.get("valid_until")
    state = item["status"] if item["status"] != "active" or not until or until > now else "expired"
    return {
        "id": item["sk"],
        "tenant": item["tenant"],
        "principal": item["principal"],
        "status": state,
        "scopes": list(item["scopes"]),
        "created_at": iso(item["created_at"]),
        "valid_until": iso(until) if until else None,
        "application": item.get("application"),
        "limits": dict(item.get("limits", {})),
    }


COLUMNS: Columns = {
    "key": lambda row: row["id"],
    "tenant": lambda row: row["tenant"],
    "principal": lambda row: row["principal"],
    "status": lambda row: row["status"],
    "scopes": lambda row: ",".join(row["scopes"]),
    "since": lambda row: f"since {row['created_at']}",
    "until": lambda row: f"until {row['valid_until']}" if row["valid_until"] else "for ever",
    "application": lambda row: f"application {row['application']}" if row["application"] else None,
    "limits": lambda row: _shown(row["limits"]),
}


@changes(app)
def revoke(
    shell: Shell,
    tenant: Annotated[str | None, Argument(help="Whose it is.")] = None,
    id: Annotated[str | None, Argument(metavar="ID", help="As `broker keys list` shows it.")] = None,
) -> Shown:
    """Have a key open nothing any more, within a minute or two.

    Without tenant and id, the key itself is read from standard input.
    """
    from broker.cli.stack import caller
    from broker.tenants.api_keys import key_id, revocation

    if tenant and not id:
        raise InvalidRequest("The key's id is needed too; `broker key list` shows it.", param="id")
    item = _found(shell, tenant, id)
    named = f"{key_id(item['pk'].removeprefix('KEY#'))} of {item['tenant']}"
    facts = {"id": key_id(item["pk"].removeprefix("KEY#")), "tenant": item["tenant"]}
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would revoke {named}", **facts)
    shell.tables.write(*revocation(item, by=caller(shell.session), now=now_ms()))
    return said(f"{named} is revoked; API Gateway may take it for a minute more", **facts)


def _found(shell: Shell, tenant: str | None, named: str | None) -> Item:
    """A tenant's key by its id, or without that the key itself, from standard input."""
    from broker.tenants.api_keys import key_hash, of_tenant, well_formed

    tables = shell.tables
    if named and tenant:
        digest = next((each["digest"] for each in of_tenant(tables, tenant) if each["sk"] == named), None)
    else:
        text = sys.stdin.read().strip()
        digest = key_hash(text) if well_formed(text) else None
    item = tables.get("registry", f"KEY#{digest}", "KEY") if digest else None
    if item is None:
        raise NotFound("There is no such key.", code="unknown_key", param="id")
    return item
