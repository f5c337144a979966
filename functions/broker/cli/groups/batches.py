"""`broker batches`: rows of a file as one piece of work, watched as it runs."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.exits import Exit
from broker.cli.printable import Printing, on_one_line
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Columns, NotSucceeded, Shown, record, rows, said
from broker.clock import iso
from broker.errors import BrokerError, InvalidRequest

if TYPE_CHECKING:
    from broker.cli.rest_client import RestClient

COMPLETED = "completed"

ENDED = frozenset({COMPLETED, "failed", "expired", "cancelled"})

app = group("Run the rows of a file as one piece of work.")

File = Annotated[str, Argument(help="A .jsonl or .csv file, an s3:// address, or the id of an uploaded file.")]
Endpoint = Annotated[
    str | None, Option(metavar="ROUTE", help="Rows are OpenAI's, for this, such as /v1/chat/completions.")
]
Prompt = Annotated[str | None, Option(metavar="ID", help="Rows are the variables of this stored prompt.")]
Form = Annotated[Literal["jsonl", "csv"] | None, Option("--format", help="By the file's name unless said.")]
Separator = Annotated[str | None, Option(help="Of a csv; `tab` for a tabulator, as a .tsv has without it.")]
Encoding = Annotated[str | None, Option(help="Of the file, where it is not UTF-8 and has no byte order mark.")]
Model = Annotated[str | None, Option(help="For rows that name none.")]
MaxCost = Annotated[float | None, Option("--max-cost-usd", metavar="USD", help="Stop before rows could cost more.")]
NotBefore = Annotated[str | None, Option(metavar="TIME", help="Such as 2026-12-01T22:00:00+01:00.")]
Body = Annotated[Path | None, Option(metavar="FILE", help="All else that a batch may say, as JSON.")]
Id = Annotated[str, Argument(metavar="ID", help="The batch's.")]
Out = Annotated[Path | None, Option(metavar="FILE", help="Write the results there.")]
Detach = Annotated[bool, Option("--detach", help="Print the batch, and do not watch it.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the arguments say of a batch; None where they say nothing."""

    file: str
    endpoint: str | None
    prompt: str | None
    form: str | None
    separator: str | None
    encoding: str | None
    model: str | None
    max_cost_usd: float | None
    not_before: str | None
    body: Path | None
    dedupe: bool = False
    window: str | None = None
    idempotency_key: str | None = None


@changes(app)
def run(
    shell: Shell,
    file: File,
    endpoint: Endpoint = None,
    prompt: Prompt = None,
    form: Form = None,
    separator: Separator = None,
    encoding: Encoding = None,
    model: Model = None,
    max_cost_usd: MaxCost = None,
    not_before: NotBefore = None,
    body: Body = None,
    dedupe: Annotated[bool, Option("--dedupe", help="Pay for identical rows once.", show_default=False)] = False,
    window: Annotated[str | None, Option(metavar="SPAN", help="How long rows may take, such as 24h or 7d.")] = None,
    idempotency_key: Annotated[
        str | None, Option(metavar="KEY", help="The same again gives the same batch, for a day.")
    ] = None,
    detach: Detach = False,
    out: Out = None,
) -> Shown:
    """Submit the rows of a file and watch them; with --dry-run nothing is sent."""
    asked = Asked(
        *(file, endpoint, prompt, form, separator, encoding, model, max_cost_usd, not_before, body),
        *(dedupe, window, idempotency_key),
    )
    if shell.dry_run:
        request = _said(asked) | {"file": file}
        raise DryRun(f"nothing was done; it would run the rows of {file}: {json.dumps(request)}", request=request)
    request, uploaded = _body(asked, shell.api)
    try:
        made = shell.api.call("POST", "/batches", request, idempotency_key=idempotency_key)
    except InvalidRequest:  # after another failure there may be a batch that reads it
        _forget(shell.api, uploaded)
        raise
    return record(made) if detach else _followed(shell, made["id"], out)


@reads(app)
def estimate(
    shell: Shell,
    file: File,
    endpoint: Endpoint = None,
    prompt: Prompt = None,
    form: Form = None,
    separator: Separator = None,
    encoding: Encoding = None,
    model: Model = None,
    max_cost_usd: MaxCost = None,
    not_before: NotBefore = None,
    body: Body = None,
) -> Shown:
    """Say what they would cost; a file of this machine is uploaded for it, and deleted."""
    asked = Asked(file, endpoint, prompt, form, separator, encoding, model, max_cost_usd, not_before, body)
    request, uploaded = _body(asked, shell.api)
    try:
        return record(shell.api.call("POST", "/batches/estimate", request))
    finally:
        _forget(shell.api, uploaded)


def _forget(client: "RestClient", file_id: str | None) -> None:
    """Delete what was uploaded for a call that left nothing else behind; where that fails, it goes after its time."""
    if file_id is not None:
        with suppress(BrokerError):
            client.call("DELETE", f"/files/{quote(file_id, safe='')}")


@reads(app)
def get(shell: Shell, id: Id) -> Shown:
    """Show a batch."""
    return record(shell.api.call("GET", _path(id)))


@reads(app)
def watch(shell: Shell, id: Id, out: Out = None) -> Shown:
    """Show its progress until it has ended; the exit status is 0 where every row succeeded."""
    return _followed(shell, id, out)


@changes(app)
def cancel(shell: Shell, id: Id) -> Shown:
    """Let no more rows begin, and keep what is done."""
    return _change(shell, id, "cancel")


@changes(app)
def pause(shell: Shell, id: Id) -> Shown:
    """Let no more rows begin for now."""
    return _change(shell, id, "pause")


@changes(app)
def resume(shell: Shell, id: Id) -> Shown:
    """Let them begin again."""
    return _change(shell, id, "resume")


def _change(shell: Shell, batch_id: str, how: str) -> Shown:
    batch = shell.api.call("POST", f"{_path(batch_id)}/{how}")
    return Shown(batch, _told(batch))


@changes(app)
def retry(shell: Shell, id: Id, detach: Detach = False, out: Out = None) -> Shown:
    """Run the rows that did not succeed once more, as a batch of their own."""
    made = shell.api.call("POST", f"{_path(id)}/retry")
    return record(made) if detach else _followed(shell, made["id"], out)


@reads(app)
def results(
    shell: Shell,
    id: Id,
    errors: Annotated[bool, Option("--errors", help="Of the rows that did not succeed.", show_default=False)] = False,
    out: Out = None,
) -> Shown | None:
    """Print the results, which are a JSON a line, or write them to a file."""
    kind = "errors" if errors else "output"
    if out is not None:
        return _download(shell.api, id, kind, out)
    shell.api.fetch(f"{_path(id)}/results?kind={kind}", Printing())
    return None


@reads(app, "list")
def list_batches(shell: Shell, limit: Annotated[int, Option(help="At most so many.")] = 20) -> Shown:
    """List batches, newest first."""
    return rows(shell.api.pages("/batches", {}, limit), COLUMNS)


def _path(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"


def _said(options: Asked) -> dict[str, Any]:
    """The request, but for where its rows are."""
    body = _read(options.body) if options.body else {}
    written = {name: value for name, value in _format(options).items() if value is not None}
    said = {
        "endpoint": options.endpoint,
        "prompt": {"id": options.prompt} if options.prompt else None,
        "format": written if written != {"type": "jsonl"} else None,
        "defaults": {**body.get("defaults", {}), "model": options.model} if options.model else None,
        "max_cost_usd": options.max_cost_usd,
        "not_before": options.not_before,
        "dedupe": options.dedupe or None,
        "completion_window": options.window,
    }
    return body | {name: value for name, value in said.items() if value is not None}


def _body(options: Asked, client: "RestClient") -> tuple[dict[str, Any], str | None]:
    """The request, and the file that was uploaded for it: one of this machine is, unless a first try did."""
    from broker.cli.sending import put_file, put_once

    body = _said(options)
    if options.file.startswith("s3://"):
        return {**body, "s3": options.file}, None
    path = Path(options.file)
    if options.file.startswith("file-") and not path.exists():
        return {**body, "input_file_id": options.file}, None
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file.", param="file")
    if not path.stat().st_size:
        raise InvalidRequest(f"{path}: the file is empty.", param="file")
    if options.idempotency_key is None:
        uploaded = str(put_file(client, path, "batch")["id"])
        return {**body, "input_file_id": uploaded}, uploaded
    file_id, is_new = put_once(client, path, "batch")
    return {**body, "input_file_id": file_id}, file_id if is_new else None


def _format(options: Asked) -> dict[str, str | None]:
    """How the file is written, by the arguments, else by its name."""
    name = options.file.lower()
    separator = options.separator or ("tab" if name.endswith(".tsv") and options.form != "jsonl" else None)
    return {
        "type": options.form or ("csv" if name.endswith((".csv", ".tsv")) else "jsonl"),
        "separator": "\t" if separator == "tab" else separator,
        "encoding": options.encoding,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}", param="body") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"{path} is no JSON object.", param="body")
    return found


def _followed(shell: Shell, batch_id: str, out: Path | None) -> Shown:
    """The batch once it has ended, and its results where they are to be written.

    Raises:
        NotSucceeded: not every row succeeded, or nobody wants to watch any longer.
    """
    from broker.cli.progress import follow

    try:
        seen = follow(lambda: dict(shell.api.call("GET", _path(batch_id))), lambda now: now["status"] in ENDED)
    except KeyboardInterrupt:
        goes_on = f"\n{batch_id} goes on; watch it with: broker batch watch {batch_id}"
        raise NotSucceeded(goes_on, Exit.NOT_YET) from None
    told = [_told(seen)]
    if out is not None and seen["request_counts"][COMPLETED]:
        told.append(str(_download(shell.api, batch_id, "output", out).plain))
    if seen["status"] != COMPLETED or seen["request_counts"]["failed"] or seen["stop_reason"]:
        raise NotSucceeded(Shown(seen, "\n".join([*told, *_why(seen)])))
    return Shown(seen, "\n".join(told))


def _why(batch: dict[str, Any]) -> list[str]:
    """Why not every row succeeded, or where that is said."""
    errors = [on_one_line(each["message"]) for each in (batch["errors"] or {}).get("data", ())]
    if batch["request_counts"]["failed"] and not batch["erased"]:
        errors.append(f"what became of the others: broker batch results --errors {batch['id']}")
    return errors


def _rows(batch: dict[str, Any]) -> str:
    counts = batch["request_counts"]
    named = "row" if counts["total"] == 1 else "rows"
    return f"{counts['total']:,} {named}, {counts['completed']} succeeded, {counts['failed']} did not"


def _made(batch: dict[str, Any]) -> str:
    made = batch["created_at"]
    return str(iso(made * 1000)) if isinstance(made, int) else str(made)  # of rows in OpenAI's form


def _state(batch: dict[str, Any]) -> str:
    stopped = f" ({batch['stop_reason']})" if batch["stop_reason"] not in (None, batch["status"]) else ""
    return f"{batch['status']}{stopped}{' paused' if batch['paused'] else ''}"


COLUMNS: Columns = {
    "batch": lambda row: row["id"],
    "created": _made,
    "status": _state,
    "rows": _rows,
    "cost": lambda row: f"{row['usage']['cost_usd']:.6f} $",
}


def _told(batch: dict[str, Any]) -> str:
    return on_one_line("  ".join(str(of(batch)) for of in COLUMNS.values()))


def _download(client: "RestClient", batch_id: str, kind: str, path: Path) -> Shown:
    """Results as they are, to a file."""
    size = client.fetch(f"{_path(batch_id)}/results?kind={kind}", path)
    return said(f"{kind} in {path}: {size:,} bytes", kind=kind, path=str(path), bytes=size)
