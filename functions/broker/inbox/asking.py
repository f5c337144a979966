"""Documents that an event asks for: they are found, and go on as files of the inbox do."""

from dataclasses import dataclass
from typing import Any, Protocol

from broker.batches.asking.submitting import Found
from broker.errors import InvalidRequest
from broker.inbox.files import DOCUMENT
from broker.inbox.splitting import Later
from broker.jobs.document_event import DocumentEvent
from broker.jobs.media_references import owned
from broker.jobs.request import parsed
from broker.permissions.who import Member


class FindsObjects(Protocol):
    """The inbox, before a file is read."""

    def object(self, bucket: str, key: str) -> Found | None:
        """The newest version of an object; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class AskForDocument:
    """Has a document taken that an event names. May be repeated: it is the same work then."""

    finds: FindsObjects
    later: Later
    inbox: str
    """The bucket that events may point into."""

    def __call__(self, detail: Any, tenant: str, event_id: str, principal: str, member: Member) -> None:
        """Take the event's document (`jobs.event_consumer.TakeDocument`).

        Args:
            detail: of the event.
            tenant: whose event it is.
            event_id: by which a repeat is known.
            principal: who asks.
            member: as what.

        Raises:
            InvalidRequest: it is not the detail of such an event, or there is no such file of this tenant.
        """
        asked = parsed(DocumentEvent, detail).document
        found = self.finds.object(*owned(asked.s3, tenant, self.inbox, "document.s3"))
        if found is None:
            message = "document.s3: there is no such file in the inbox."
            raise InvalidRequest(message, code="file_not_found", param="document.s3")
        stored = {"key": found.key, "size": found.bytes, "etag": found.etag}
        version = {"version-id": found.version} if found.version else {}
        event = {
            "detail": {"bucket": {"name": found.bucket}, "object": stored | version},
            DOCUMENT: {"id": event_id, "recipe": asked.recipe, "principal": principal, "member": member.kept()},
        }
        self.later.again(event, tenant, 0)
