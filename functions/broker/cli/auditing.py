"""`broker audit`: walks the chain of the audit trail, and lists what is in it."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.audit.appending import end_of
from broker.audit.chain import Anchor, verify
from broker.audit.reading import Asked, Trail
from broker.audit.record import KINDS
from broker.cli.printable import on_one_line
from broker.cli.stack import tables_of
from broker.clock import iso, now_ms
from broker.cloud.audit_bucket import AuditBucket
from broker.errors import InvalidRequest, NotFound


def add_audit(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker audit`."""
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("verify", help="walk the chain, and say where it breaks")
    one.add_argument("--end", metavar="NUMBER:DIGEST", help="the end that an earlier run printed, kept elsewhere")
    one = actions.add_parser("list", help="what was done, the newest first")
    one.add_argument("--tenant")
    one.add_argument("--kind", choices=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    one.add_argument("--since", type=_time, metavar="TIME", help="2026-12-01T08:00, in UTC")
    one.add_argument("--until", type=_time, metavar="TIME")
    one.add_argument("--limit", type=int, default=100)


def audit(session: Any, options: argparse.Namespace) -> tuple[str, int]:
    """Do what `broker audit` was asked; gives what it prints, and 1 where the chain is broken."""
    from broker.cli.stack import stack_outputs

    outputs = stack_outputs(session, options.stack)
    if "AuditBucket" not in outputs:
        raise NotFound("The stack keeps no audit trail; deploy it with Audit=on.", code="audit_off")
    bucket, tables = AuditBucket(outputs["AuditBucket"], session.client("s3")), tables_of(session, outputs)
    if options.action == "list":
        asked = Asked(options.tenant, options.kind, options.since, options.until)
        return _listed(Trail(tables, bucket), asked, options.limit), 0
    end = end_of(tables, "")  # first: the chain grows while it is walked
    given = _end(options.end, end.chain) if options.end else None
    found = verify(_upto(bucket, end.number + 1), end, now_ms(), int(outputs["AuditRetentionDays"]), given)
    if found:
        return "\n".join(on_one_line(f"block {each.number}: {each.what}: {each.why}") for each in found), 1
    at = iso(end.at) if end.number else "never"
    return f"whole; the last of {end.number} blocks was written {at}\nend {end.number}:{end.digest}", 0


def _upto(bucket: AuditBucket, last: int) -> Any:
    """What lies in the bucket, without the blocks that were written since the end was read."""
    from broker.audit.chain import FORM

    for each in bucket.all():
        named = FORM.fullmatch(each.key)
        if named is None or int(named[1]) <= last:
            yield each


def _listed(trail: Trail, asked: Asked, limit: int) -> str:
    lines: list[str] = []
    cursor: str | None = None
    while len(lines) < limit:
        page = trail.page(asked, min(limit - len(lines), 1_000), cursor)
        lines += [_line(each) for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return "\n".join([*lines, f"{len(lines)} records"])


COLUMNS = ("at", "kind", "tenant", "by", "subject", "outcome", "reason", "route", "key")


def _line(shown: Mapping[str, Any]) -> str:
    facts = [str(shown[name]) for name in COLUMNS if shown.get(name)]
    return on_one_line("  ".join([*facts, *(f"{name}={value}" for name, value in shown["details"].items())]))


def _time(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-12-01T08:00") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _end(text: str, chain: str) -> Anchor:
    number, _, digest = text.partition(":")
    if not number.isdigit() or len(digest) != 64:
        raise InvalidRequest("The end is a number and a digest, as `broker audit verify` prints them.", param="end")
    return Anchor(chain, int(number), digest)
