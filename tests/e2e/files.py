"""The inbox and the outbox, as the tests use them."""

import json
import uuid
from typing import Any

from tests.e2e.stack import Stack, until


class Files:
    """Both buckets, below a folder of its own."""

    def __init__(self, stack: Stack) -> None:
        self._s3 = stack.cloud.client("s3")
        self._inbox, self._outbox = stack.outputs["InboxBucket"], stack.outputs["OutboxBucket"]
        self._folder = uuid.uuid4().hex

    def put(self, name: str, body: bytes | str, tenant: str = "demo") -> str:
        """Put a file into the inbox; gives its key."""
        key = f"{tenant}/{self._folder}/{name}"
        data = body.encode() if isinstance(body, str) else body
        self._s3.put_object(Bucket=self._inbox, Key=key, Body=data)
        return key

    def version(self, key: str) -> dict[str, Any]:
        """The object as S3's event names it."""
        found = self._s3.head_object(Bucket=self._inbox, Key=key)
        facts = {"key": key, "size": found["ContentLength"], "etag": found["ETag"].strip('"')}
        return {"bucket": {"name": self._inbox}, "object": facts}

    def text(self, key: str, seconds: float = 60) -> str:
        """A file of the outbox, as soon as it is there."""

        def read() -> str:
            try:
                return str(self._s3.get_object(Bucket=self._outbox, Key=key)["Body"].read().decode())
            except self._s3.exceptions.NoSuchKey:
                return ""

        found: str = until(read, seconds)
        assert found, f"{key} is not in the outbox"
        return found

    def rows(self, key: str, seconds: float = 60) -> list[dict[str, Any]]:
        """The results of a file of lines."""
        return [json.loads(line) for line in self.text(f"{key}.results.jsonl", seconds).splitlines()]
