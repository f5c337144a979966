"""The media of a request: objects in memory."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.errors import InvalidRequest
from broker.providers.wire.base import Blob, Measured


@dataclass(slots=True)
class FakeMedia:
    """See `broker.providers.wire.base.MediaReader`; objects by `s3://…`."""

    objects: dict[str, Blob] = field(default_factory=dict)
    placed: dict[str, Blob] = field(default_factory=dict)
    """Bytes of requests that were put into S3, by their keys."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Of objects that are larger than what stands for them here."""
    region: str = "us-east-1"
    pinned: dict[str, Blob] = field(default_factory=dict)
    handed: dict[str, bytes | None] = field(default_factory=dict)
    """What was handed to services, by its keys; None for what they are to write."""

    def read(self, reference: Mapping[str, str]) -> Blob:
        """See `Media.read`."""
        if "data" in reference:
            return Blob(base64.b64decode(reference["data"]), reference["media_type"])
        if reference["s3"] in self.pinned:
            return self.pinned[reference["s3"]]
        if reference["s3"] not in self.objects:
            raise InvalidRequest("There is no such object.", code="no_such_object", param="input.file")
        return self.objects[reference["s3"]]

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """See `Media.place`."""
        if "data" in reference:
            key = f"media/{len(self.placed)}"
            self.placed[key] = self.read(reference)
            return "payloads", key
        bucket, _, key = reference["s3"].removeprefix("s3://").partition("/")
        return bucket, key

    def measure(self, reference: Mapping[str, str]) -> Measured:
        """See `Media.measure`."""
        known = self.objects.get(reference.get("s3", ""))
        return Measured(self.sizes.get(reference.get("s3", ""), len(known.data) if known else 1), self.region)

    def pin(self, reference: Mapping[str, str]) -> None:
        """See `Media.pin`."""
        if "data" not in reference and reference["s3"] not in self.pinned:
            self.pinned[reference["s3"]] = self.read(reference)

    def hand(self, name: str, data: bytes | None = None) -> tuple[str, str]:
        """See `Media.hand`."""
        key = f"services/job_1/{name}"
        self.handed[key] = data
        return "payloads", key
