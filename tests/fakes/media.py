"""The media of a request: objects in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.errors import InvalidRequest
from broker.providers.base import Blob


@dataclass(slots=True)
class FakeMedia:
    """See `broker.providers.base.Media`; objects by `s3://…`."""

    objects: dict[str, Blob] = field(default_factory=dict)

    def read(self, reference: Mapping[str, str]) -> Blob:
        """See `Media.read`."""
        if reference["s3"] not in self.objects:
            raise InvalidRequest("There is no such object.", code="no_such_object", param="input.file")
        return self.objects[reference["s3"]]

    def place(self, reference: Mapping[str, str]) -> tuple[str, str]:
        """See `Media.place`."""
        bucket, _, key = reference["s3"].removeprefix("s3://").partition("/")
        return bucket, key
