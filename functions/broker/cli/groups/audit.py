"""`broker audit`: walks the chain of the audit trail, and lists what is in it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from broker.cli.command import group, reads
from broker.cli.exits import Exit
from broker.cli.printable import on_one_line
from broker.cli.shell import Shell
from broker.cli.shown import Shown, table
from broker.clock import iso, now_ms
from broker.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from broker.audit.chain import Anchor
    from broker.cloud.audit_bucket import AuditBucket

app = group("Hold the audit trail against its chain, and list what was done.")


@reads(app, "verify")
def verify_chain(
    shell: Shell,
    end: Annotated[
        str | None, Option(metavar="NUMBER:DIGEST", help="The end that an earlier run printed, kept elsewhere.")
    ] = None,
) -> Shown:
    """Walk the chain, and say where it breaks; the exit status is 1 then."""
    from broker.audit.appending import end_of
    from broker.audit.chain import verify

    bucket = _bucket(shell)
    last = end_of(shell.tables, bucket.name)  # first: the chain grows while it is walked
    given = _end(end, last.chain) if end else None
    found = verify(_upto(bucket, last.number + 1), last, now_ms(), int(shell.outputs["AuditRetentionDays"]), given)
    if broken := [{"block": each.number, "what": each.what, "why": each.why} for each in found]:
        lines = [on_one_line(f"block {each['block']}: {each['what']}: {each['why']}") for each in broken]
        return Shown({"whole": False, "broken": broken}, "\n".join(lines), status=Exit.NOT_SUCCEEDED)
    at = iso(last.at) if last.number else "never"
    reached = f"{last.number}:{last.digest}"
    text = f"whole; the last of {last.number} blocks was written {at}\nend {reached}"
    return Shown({"whole": True, "blocks": last.number, "end": reached}, text)


@reads(app, "list")
def list_records(
    shell: Shell,
    tenant: Annotated[str | None, Option(help="Only of this tenant.")] = None,
    kind: Annotated[str | None, Option(help="Only of this kind, as records have it.")] = None,
    since: Annotated[str | None, Option(metavar="TIME", help="2026-12-01T08:00, in UTC.")] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Likewise.")] = None,
    limit: Annotated[int, Option(help="At most so many.")] = 100,
) -> Shown:
    """List what was done, the newest first."""
    from broker.audit.reading import Asked, Trail
    from broker.audit.record import KINDS

    if kind is not None and kind not in KINDS:
        raise InvalidRequest(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.", param="kind")
    times = [_time(text, name) if text else None for text, name in ((since, "since"), (until, "until"))]
    asked = Asked(tenant, kind, *times)
    found = list(_records(Trail(shell.tables, _bucket(shell)), asked, limit))
    lines = [*map(_line, found), f"{len(found)} records"]
    return Shown(found, "\n".join(lines), lambda: table(COLUMNS, map(_cells, found)))


def _bucket(shell: Shell) -> "AuditBucket":
    from broker.cloud.audit_bucket import AuditBucket

    if "AuditBucket" not in shell.outputs:
        raise NotFound("The stack keeps no audit trail; deploy it with Audit=on.", code="audit_off")
    return AuditBucket(shell.outputs["AuditBucket"], shell.session.client("s3"))


def _upto(bucket: "AuditBucket", last: int) -> Iterator[Any]:
    """What lies in the bucket, without the blocks that were written since the end was read."""
    from broker.audit.chain import FORM

    for each in bucket.all():
        named = FORM.fullmatch(each.key)
        if named is None or int(named[1]) <= last:
            yield each


def _records(trail: Any, asked: Any, limit: int) -> Iterator[Mapping[str, Any]]:
    left, cursor = limit, None
    while left > 0:
        page = trail.page(asked, min(left, 1_000), cursor)
        yield from page["data"]
        left, cursor = left - len(page["data"]), page["next_cursor"]
        if cursor is None:
            return


COLUMNS = ("at", "kind", "tenant", "by", "subject", "outcome", "reason", "route", "key")


def _cells(shown: Mapping[str, Any]) -> list[str]:
    return [on_one_line(str(shown.get(name) or "")) for name in COLUMNS]


def _line(shown: Mapping[str, Any]) -> str:
    facts = [str(shown[name]) for name in COLUMNS if shown.get(name)]
    return on_one_line("  ".join([*facts, *(f"{name}={value}" for name, value in shown["details"].items())]))


def _time(text: str, param: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is no time such as 2026-12-01T08:00", param=param) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _end(text: str, chain: str) -> "Anchor":
    from broker.audit.chain import Anchor

    number, _, digest = text.partition(":")
    if not number.isdigit() or len(digest) != 64:
        raise InvalidRequest("The end is a number and a digest, as `broker audit verify` prints them.", param="end")
    return Anchor(chain, int(number), digest)
