"""What S3 says of an object that is not there to those who may not list its bucket: `AccessDenied`, not `NoSuchKey`.

(S3 API Reference, `GetObject` and `HeadObject`, "Permissions": 404 with `s3:ListBucket`, 403 without.)
"""

from typing import Any

from ministack import app
from ministack.services import s3


def patch() -> None:
    """Change MiniStack in memory, before it starts."""
    handle = s3.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any, **more: Any) -> Any:
        response = await handle(method, path, headers, body, query, **more)
        if response[0] != 404 or method not in ("GET", "HEAD"):
            return response
        bucket, _, key = path.lstrip("/").partition("/")
        if not key or bucket not in s3._buckets:
            return response
        denied = app._enforce_data_plane(
            "s3", "s3:ListBucket", headers, query, "", resource_arn=f"arn:aws:s3:::{bucket}"
        )
        if denied and method == "HEAD":
            return denied[0], denied[1], b""
        return denied or response

    s3.handle_request = handle_request
