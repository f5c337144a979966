"""`broker files put`, `list`, `get`, `content` and `delete`: files of the key's tenant."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.cli.asking import client_of
from broker.cli.printable import as_json, on_one_line
from broker.cli.rest_client import RestClient
from broker.cli.shell import Shell
from broker.clock import iso
from broker.errors import Unavailable

MOST_AT_ONCE = 64 * 1024 * 1024
"""Bytes; a larger file goes in parts, so that a cut connection costs one of them."""

TRIES = 3

PAGE = 1000


def add_files(command: Any) -> None:
    """The arguments."""
    actions = command.add_subparsers(dest="action", required=True)
    one = actions.add_parser("put", help="send a file, whatever its size")
    one.add_argument("path", type=Path)
    one.add_argument("--purpose", default="user_data", help="such as batch; user_data when left out")
    one.add_argument("--keep", type=int, metavar="SECONDS", help="how long; thirty days when left out")
    one = actions.add_parser("list", help="list files, newest first")
    one.add_argument("--purpose", help="only those for this")
    actions.add_parser("get", help="show a file's record").add_argument("id")
    one = actions.add_parser("content", help="write a file's bytes to a path")
    one.add_argument("id")
    one.add_argument("path", type=Path)
    actions.add_parser("delete", help="delete a file").add_argument("id")


def files(shell: Shell) -> str:
    """`broker files`."""
    return ACTIONS[shell.options.action](client_of(shell), shell.options)


def _put(client: RestClient, options: Any) -> str:
    return as_json(put_file(client, options.path, options.purpose, options.keep))


def put_once(client: RestClient, path: Path, purpose: str) -> tuple[str, bool]:
    """Send a file unless it was sent so before: by its name and its bytes, of which the kept name has a digest.

    Gives its id, and whether it was sent now. A request that names it is then the same each time.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{digest[:32]}-{path.name[-200:]}"
    for row in _rows(client, purpose):
        if row["filename"] == name and row["status"] == "processed":
            return str(row["id"]), False
    return str(put_file(client, path, purpose, name=name)["id"]), True


def put_file(client: RestClient, path: Path, purpose: str, keep_s: int | None = None, name: str | None = None) -> Any:
    """Send a file, whatever its size; gives its record. It is kept by its own name unless another is said."""
    size = path.stat().st_size
    new: dict[str, Any] = {"filename": name or path.name, "bytes": size, "purpose": purpose}
    if keep_s is not None:
        new["expires_after"] = {"seconds": keep_s}
    if size > MOST_AT_ONCE:
        return _put_parts(client, path, new)
    data = path.read_bytes()
    made = client.call("POST", "/files", new | {"sha256": hashlib.sha256(data).hexdigest()})
    _send(client, made["upload"], data)
    return client.call("GET", _path(made["id"]))


def _put_parts(client: RestClient, path: Path, new: dict[str, Any]) -> Any:
    begun = client.call("POST", "/uploads", new)
    upload, ids = f"/uploads/{begun['id']}", []
    with path.open("rb") as file:
        number = 0
        while data := file.read(begun["part_bytes"]):
            number += 1
            part = client.call("POST", f"{upload}/parts", {"number": number})
            _send(client, part["upload"], data)
            ids.append(part["id"])
    return client.call("POST", f"{upload}/complete", {"part_ids": ids})["file"]


def _send(client: RestClient, where: dict[str, Any], data: bytes) -> None:
    """Put bytes to the bucket; what was cut off goes again."""
    for attempt in range(TRIES):
        try:
            return client.put(where["url"], where["headers"], data)
        except Unavailable:
            if attempt == TRIES - 1:
                raise


def _list(client: RestClient, options: Any) -> str:
    return "\n".join(
        on_one_line(
            f"{row['id']}  {iso(row['created_at'] * 1000)}  {row['status']:9}  {row['purpose']:12}  "
            f"{row['bytes']:>13,}  {row['filename']}"
        )
        for row in _rows(client, options.purpose)
    )


def _rows(client: RestClient, purpose: str | None) -> Iterator[Any]:
    after = None
    while True:
        page = client.call("GET", "/files", query={"limit": PAGE, "purpose": purpose, "after": after})
        yield from page["data"]
        if not page["has_more"]:
            return
        after = page["last_id"]


def _get(client: RestClient, options: Any) -> str:
    return as_json(client.call("GET", _path(options.id)))


def _content(client: RestClient, options: Any) -> str:
    size = client.fetch(f"{_path(options.id)}/content", options.path)
    return f"{options.path}: {size} bytes"


def _delete(client: RestClient, options: Any) -> str:
    return f"{client.call('DELETE', _path(options.id))['id']} deleted"


def _path(file_id: str) -> str:
    return f"/files/{quote(file_id, safe='')}"


ACTIONS: dict[str, Callable[[RestClient, Any], str]] = {
    "put": _put,
    "list": _list,
    "get": _get,
    "content": _content,
    "delete": _delete,
}
