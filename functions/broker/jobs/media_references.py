"""Where a request may point to: objects of the inbox bucket below the tenant's own prefix."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from broker.errors import InvalidRequest

SCHEME = "s3://"

_STRANGE = re.compile(r"[?#\x00-\x1f\x7f-\x9f]|(^|/)\.{0,2}(/|$)")
"""What S3 takes in a key, and what handles paths or addresses takes for something else."""

MOST_KEY_BYTES = 1024
"""In UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""


def owned(address: str, tenant: str, inbox: str, param: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address.

    Raises:
        InvalidRequest: it is not below the tenant's own prefix of the inbox (an object of others is not told apart from
            one that does not exist), or is a key that others would read as another one's.
    """
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    if len(key.encode()) > MOST_KEY_BYTES:
        message = f"The key of a file has {MOST_KEY_BYTES} bytes at most."
        raise InvalidRequest(message, code="invalid_key", param=param)
    if _STRANGE.search(key):
        message = "The key of a file may have no '..', '.' or empty part, no '?' or '#' and no control character."
        raise InvalidRequest(message, code="invalid_key", param=param)
    if bucket != inbox or not key.startswith(f"{tenant}/"):
        message = "Files are taken from the inbox bucket, below the tenant's own prefix."
        raise InvalidRequest(message, code="file_not_yours", param=param)
    return bucket, key


def check_media(request: Mapping[str, Any], tenant: str, inbox: str) -> None:
    """Check all that a request points to, before it is accepted.

    Raises:
        InvalidRequest: names the place.
    """
    for param, address in _addresses(request.get("input", {})):
        owned(address, tenant, inbox, param)


def _addresses(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if address := (given.get("file") or {}).get("s3"):
        yield "input.file.s3", address
    for place, message in enumerate(given.get("messages") or ()):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            picture = part.get("image_url")
            url = picture.get("url") if isinstance(picture, dict) else picture
            if isinstance(url, str) and url.startswith(SCHEME):
                yield f"input.messages.{place}.content.{number}.image_url", url
