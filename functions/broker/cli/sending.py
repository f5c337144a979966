"""Files of the key's tenant: sent whole or in parts, and found again."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from broker.cli.rest_client import RestClient
from broker.errors import Unavailable

MOST_AT_ONCE = 64 * 1024 * 1024
"""Bytes; a larger file goes in parts, so that a cut connection costs one of them."""

TRIES = 3

PAGE = 1000


def put_once(client: RestClient, path: Path, purpose: str) -> tuple[str, bool]:
    """Send a file unless it was sent so before: by its name and its bytes, of which the kept name has a digest.

    Gives its id, and whether it was sent now. A request that names it is then the same each time.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{digest[:32]}-{path.name[-200:]}"
    for row in files_of(client, purpose):
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
    return client.call("GET", path_of(made["id"]))


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


def files_of(client: RestClient, purpose: str | None) -> Iterator[Any]:
    """Records of files, newest first."""
    after = None
    while True:
        page = client.call("GET", "/files", query={"limit": PAGE, "purpose": purpose, "after": after})
        yield from page["data"]
        if not page["has_more"]:
            return
        after = page["last_id"]


def path_of(file_id: str) -> str:
    """The route of a file."""
    return f"/files/{quote(file_id, safe='')}"
