"""A question about permissions: who, and what; the body of `POST /v1/admin/can`."""

from typing import Annotated, Any

from pydantic import Field

from broker.jobs.fields import Task
from broker.jobs.searching import Door
from broker.registry.document import checked
from broker.registry.entry import Name, StrictEntry, TenantId
from broker.registry.model_entry import Word
from broker.registry.permission_entry import Groups


class CheckedWho(StrictEntry):
    """Somebody, as far as rules may ask."""

    tenant: TenantId
    application: Name | None = None
    """Whose groups and roles they have, too."""
    groups: Groups | None = None
    """That a token says."""
    roles: Groups | None = None
    principal: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    key: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The id of an API key, which says application and principal where they are not said here."""
    door: Door = "rest"


class CheckedWhat(StrictEntry):
    """A request, as far as rules may ask."""

    model: Name | None = None
    """A model or an alias; every model unless it is said."""
    task: Task = Task.CHAT
    prompt: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    query_type: Word | None = None
    data_class: Word | None = None


class PermissionQuestion(StrictEntry):
    """May somebody do something?"""

    who: CheckedWho
    what: CheckedWhat = Field(default_factory=CheckedWhat)

    @property
    def request(self) -> dict[str, Any]:
        """What is asked, as a request has it."""
        what = self.what
        prompt = {"prompt": {"id": what.prompt}} if what.prompt else {}
        routing = {"routing": {"query_type": what.query_type}} if what.query_type else {}
        data_class = {"data_class": what.data_class} if what.data_class else {}
        return {"task": what.task.value, **prompt, **routing, **data_class}


def parse_question(body: Any) -> PermissionQuestion:
    """Check a body.

    Raises:
        InvalidRequest: names the first field at fault.
    """
    return checked(PermissionQuestion, body)
