"""A file through the inbox by a recipe, watched stage by stage to its result."""

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from broker.batches.batch import BatchStatus
from broker.cli.printable import as_json, on_one_line, printable
from broker.cli.progress import follow
from broker.cli.rest_client import RestClient
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import NotSucceeded, Shown
from broker.errors import InvalidRequest, NotFound
from broker.inbox.file_work import kind_of
from broker.inbox.files import File

LOOK_S = 1.0
"""Between two looks while a document is read."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file, and who wants what of it."""

    file: Path
    recipe: str
    tenant: str | None = None
    """As the key's; BROKER_TENANT when None."""


def run(shell: Shell, given: Given, pause: Callable[[float], None] = time.sleep) -> Shown:
    """Put the file, follow it, and give its result; `pause` waits for some seconds.

    Raises:
        InvalidRequest: the file or an argument cannot be what it is given as.
        DryRun: nothing is to be put.
        NotSucceeded: it was rejected, has no answer, or nobody wants to watch any longer.
    """
    client = shell.api
    file = _put(shell, given)
    print(f"{file.key} is being read", file=sys.stderr)
    try:
        batch_id = _until_begun(shell, given, file, pause)
        path = _path(batch_id)
        follow(lambda: dict(client.call("GET", path)), lambda now: BatchStatus(now["status"]).terminal, pause=pause)
    except KeyboardInterrupt:
        raise NotSucceeded(f"\n{file.key} goes on; its result will be in the outbox, beside that key") from None
    kept = io.BytesIO()
    client.fetch(f"{path}/results", kept)
    result = json.loads(kept.getvalue())
    told = Shown(result, "\n".join(_told(result)))
    if result["error"]:
        raise NotSucceeded(told)
    return told


def _put(shell: Shell, given: Given) -> File:
    """Put the file where the recipe's documents are taken, under a key of its own."""
    tenant = given.tenant or shell.environment.get("BROKER_TENANT")
    if not tenant:
        raise InvalidRequest("Say whose document it is: --tenant, or BROKER_TENANT.", param="tenant")
    for name, value in (("tenant", tenant), ("recipe", given.recipe)):
        if not value or "/" in value:
            raise InvalidRequest(f"{name}: {value!r} is no id.", param=name)
    if kind_of(given.file.name) != "document":
        raise InvalidRequest(f"{given.file} is taken as a request by its name, not as a document.", param="file")
    if shell.outputs.get("Inbox") == "off":
        raise InvalidRequest("The stack takes no files: it is deployed with Inbox=off.", param="file")
    data = given.file.read_bytes()
    bucket, key = shell.outputs["InboxBucket"], f"{tenant}/{given.recipe}/{uuid4().hex}/{given.file.name}"
    if shell.dry_run:
        raise DryRun(
            f"nothing was done; it would put {len(data):,} bytes to s3://{bucket}/{key}", bucket=bucket, key=key
        )
    put = shell.session.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    return File(bucket, key, len(data), put["ETag"].strip('"'), put.get("VersionId"))


def _until_begun(shell: Shell, given: Given, file: File, pause: Callable[[float], None]) -> str:
    """Wait until it was read, and give the batch that it is.

    Raises:
        NotSucceeded: it will not be one that the key's tenant sees.
    """
    while True:
        told = _in_outbox(shell, file)  # first, for what is there now may be a batch before we look for that
        if batch_id := _batch_of(shell.api, file):
            return batch_id
        if told is None:
            pause(LOOK_S)
            continue
        if error := told.get("error" if "object" not in told else ""):
            raise NotSucceeded(on_one_line(f"{error['code']}: {error['message']}"))
        if told["object"] == "job":
            other = f"The tenant has no recipe {given.recipe!r}, so it was taken as any other file"
            raise NotSucceeded(on_one_line(f"{other}: {told['id']} {told['status']}"))
        raise NotSucceeded(on_one_line(f"{file.key} is done, and the API key is not of the tenant {file.tenant!r}."))


def _batch_of(client: RestClient, file: File) -> str | None:
    """The batch of a file; None while there is none. Not every S3 tells the version of what came to a bucket."""
    for each in (file, replace(file, version=None)):
        with suppress(NotFound):
            client.call("GET", _path(each.batch_id))
            return each.batch_id
    return None


def _path(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"


def _in_outbox(shell: Shell, file: File) -> dict[str, Any] | None:
    """What came of a file, whatever a recipe calls it; None where nothing did yet."""
    s3, bucket = shell.session.client("s3"), shell.outputs["OutboxBucket"]
    for each in s3.list_objects_v2(Bucket=bucket, Prefix=f"{file.key}.").get("Contents", ()):
        found: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        return found
    return None


def _told(result: dict[str, Any]) -> Iterator[str]:
    """The result as people read it: the answer, its pages, what is to be known of it, and what it cost."""
    answer = result["answer"]
    if answer is not None:
        yield printable(answer) if isinstance(answer, str) else as_json(answer)
    cited = result["citations"] or {"pages": [], "unknown": []}
    if cited["pages"]:
        yield on_one_line(f"cites {', '.join(map(_page, cited['pages']))}")
    if cited["unknown"]:
        yield f"cites pages that it does not have: {', '.join(map(str, cited['unknown']))}"
    yield from (on_one_line(f"{note['code']}: {note['message']}") for note in result["notes"])
    if error := result["error"]:
        yield on_one_line(f"{error['code']}: {error['message']}")
    yield on_one_line(
        f"{result['batch_id']}  {result['kind']}, {result['pages']} pages  {len(result['children'])} jobs  "
        f"{result['usage']['cost_usd']:.6f} $"
    )


def _page(place: dict[str, Any]) -> str:
    inner = f" ({place['file']}, p. {place['file_page']})" if "file" in place else ""
    return f"p. {place['page']}{inner}"
