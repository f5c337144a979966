"""Applications of tenants as the operators registered them (table `registry`, pk `APPLICATION#tenant:id`)."""

from broker.errors import Forbidden
from broker.permissions.who import NOBODY, Member
from broker.storage import Database, Item

KEEP_MS = 30_000


def application_pk(tenant: str, application: str) -> str:
    """The partition of an application's entry."""
    return f"APPLICATION#{tenant}:{application}"


def find_application(database: Database, tenant: str, application: str) -> Item | None:
    """One that is in use; None where there is none."""
    item = database.get("registry", application_pk(tenant, application), "APPLICATION")
    return item if item and item.get("enabled", True) else None


def member_of(item: Item) -> Member:
    """As what its principals ask."""
    return Member(item["id"], frozenset(item.get("groups", ())), frozenset(item.get("roles", ())))


class Applications:
    """The applications of the deployment, each kept in memory for half a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[str, str], tuple[int, Member]] = {}

    def member(self, tenant: str, application: str | None, now: int) -> Member:
        """As what an application's work is asked for; of none, as nothing.

        Raises:
            Forbidden: it is not registered for this tenant, or was disabled.
        """
        if application is None:
            return NOBODY
        read_at, member = self._kept.get((tenant, application), (-KEEP_MS, None))
        if member is None or now - read_at >= KEEP_MS:
            item = find_application(self._database, tenant, application)
            if item is None:
                what = f"The application {application!r} is not registered for the tenant, or is disabled."
                raise Forbidden(what, code="unknown_application")
            member = member_of(item)
            self._kept[tenant, application] = (now, member)
        return member
