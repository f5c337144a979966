"""Long texts of prompts, in the payloads bucket."""

from collections.abc import Callable
from typing import Any

from broker.cloud.buckets import GONE
from broker.errors import Unavailable

PREFIX = "prompts/"

UNREADABLE = GONE | {"AccessDenied", "403"}
"""Who may not list a bucket is told 403 of what is not there (Amazon S3 API reference, GetObject)."""


class BucketTexts:
    """The adapter of `prompts.texts.Texts`."""

    def __init__(self, bucket: str, s3: Callable[[], Any]) -> None:
        """`s3` gives the client, where one is needed: most prompts are short."""
        self._bucket = bucket
        self._s3 = s3

    def put(self, digest: str, packed: bytes) -> None:
        """See `Texts.put`."""
        self._s3().put_object(Bucket=self._bucket, Key=f"{PREFIX}{digest}", Body=packed)

    def get(self, digest: str, most: int) -> bytes:
        """See `Texts.get`."""
        client = self._s3()
        try:
            reply = client.get_object(Bucket=self._bucket, Key=f"{PREFIX}{digest}")
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in UNREADABLE:
                raise
            what = "The prompt's text is not in the payloads bucket, or may not be read."
            raise Unavailable(what, code="prompt_text_missing", retry_after=60) from None
        if reply["ContentLength"] > most:
            raise Unavailable("The prompt's text is too large.", code="prompt_text_too_large", retry_after=60)
        return bytes(reply["Body"].read())
