"""`broker webhooks`: registered endpoints of the key's tenant, and what was delivered to them."""

from typing import Annotated, Any
from urllib.parse import quote

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.shell import Shell
from broker.cli.shown import Shown, record, rows

app = group("Registered endpoints, what was delivered to them, and delivering it again.")

Id = Annotated[str, Argument(metavar="ID", help="The endpoint's.")]


@reads(app, "list")
def list_endpoints(shell: Shell) -> Shown:
    """List the endpoints of the key's tenant."""
    return rows(
        shell.api.call("GET", "/webhooks")["data"],
        {
            "endpoint": lambda row: row["id"],
            "url": lambda row: row["url"],
            "events": lambda row: ", ".join(row["events"]),
            "state": lambda row: "enabled" if row["enabled"] else f"disabled by {row['disabled_by']}",
        },
    )


@reads(app)
def get(shell: Shell, id: Id) -> Shown:
    """Show an endpoint, and how it fares."""
    return record(shell.api.call("GET", _path(id)))


@changes(app)
def create(
    shell: Shell,
    url: Annotated[str, Argument(help="Where it listens; https.")],
    event: Annotated[
        list[str] | None, Option(help="Such as job.succeeded; may be repeated. job.* when left out.")
    ] = None,
    description: Annotated[str | None, Option(help="For those who look at the list.")] = None,
    payload: Annotated[str | None, Option(help="thin or full.")] = None,
    idempotency_key: Annotated[str | None, Option(metavar="KEY", help="The same again registers one endpoint.")] = None,
) -> Shown:
    """Register an endpoint; its secret is told this once."""
    asked = {"url": url, "events": event or ["job.*"], "description": description, "payload": payload}
    body = {name: value for name, value in asked.items() if value is not None}
    return record(shell.api.call("POST", "/webhooks", body, idempotency_key=idempotency_key))


@changes(app)
def rotate(
    shell: Shell,
    id: Id,
    end_old: Annotated[
        bool, Option("--end-old", help="End the old secret at once: it was given away.", show_default=False)
    ] = False,
) -> Shown:
    """Give it a new secret, told this once; for a day what is sent is signed with both."""
    return record(shell.api.call("POST", f"{_path(id)}/rotate", {"keep_old_for_24_hours": not end_old}))


@changes(app)
def test(shell: Shell, id: Id) -> Shown:
    """Send it an event that says it is a test, and show what it answered."""
    return record(shell.api.call("POST", f"{_path(id)}/test"))


@changes(app)
def enable(shell: Shell, id: Id) -> Shown:
    """Deliver to it again."""
    return record(shell.api.call("POST", f"{_path(id)}/enable"))


@changes(app)
def disable(shell: Shell, id: Id) -> Shown:
    """Deliver nothing to it for now."""
    return record(shell.api.call("POST", f"{_path(id)}/disable"))


@reads(app)
def deliveries(shell: Shell, id: Id, limit: Annotated[int, Option(help="At most so many.")] = 20) -> Shown:
    """List what was sent to it, the newest first."""
    found = shell.api.call("GET", f"{_path(id)}/deliveries", query={"limit": limit})["data"]
    return rows(
        found,
        {
            "delivery": lambda row: row["id"],
            "event": lambda row: row["event"],
            "happened": lambda row: row["happened_at"],
            "state": lambda row: row["state"],
            "attempts": lambda row: f"{len(row['attempts'])} attempts",
            "last": lambda row: _last(row["attempts"]),
            "next": lambda row: f"again at {row['next_at']}" if row["next_at"] else None,
        },
    )


@changes(app)
def redeliver(
    shell: Shell, id: Id, delivery: Annotated[str, Argument(help="As `broker webhooks deliveries` shows it.")]
) -> Shown:
    """Send a delivery again."""
    return record(shell.api.call("POST", f"{_path(id)}/deliveries/{quote(delivery, safe='')}/redeliver"))


@changes(app)
def delete(shell: Shell, id: Id) -> Shown:
    """Delete an endpoint; what was to be delivered to it is not."""
    told = shell.api.call("DELETE", _path(id))
    return Shown(told or {"id": id, "deleted": True}, f"{id} deleted")


def _path(endpoint_id: str) -> str:
    return f"/webhooks/{quote(endpoint_id, safe='')}"


def _last(attempts: list[Any]) -> Any:
    return (attempts[-1]["status"] or attempts[-1]["error"]) if attempts else None
