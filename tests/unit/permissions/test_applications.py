"""Applications: which credential belongs to one, what it is then, and what its work says of it."""

import json
from typing import Any

import pytest
from broker.audit.notes import taken
from broker.batches.asking.submitting import by_whom
from broker.batches.batch import BY_MEMBER
from broker.batches.rows.running import asks_for
from broker.errors import Forbidden, PermissionDenied
from broker.jobs.accepting import Caller
from broker.jobs.event_consumer import EventConsumer
from broker.jobs.pages import page
from broker.jobs.searching import Wanted
from broker.permissions.who import MOST_NAMES, Member, Who
from broker.rest.http import Request
from broker.storage import Put
from broker.tenants.api_keys import key_item, new_key
from broker.tenants.applications import Applications
from broker.tenants.identity import Identity, Unauthorized, authenticate, is_good
from broker.tenants.registry import Tenants

from tests.fakes.batch_rows import Rows
from tests.fakes.counting import CountingDatabase
from tests.fakes.queue import FakeRejections
from tests.fakes.world import BASE_URL, CHAT, NOW
from tests.unit.permissions.permitting_case import CREATIVE, MARKETING, SALES, Permitted
from tests.unit.rest_door import Door as RestDoor

CRM = {"pk": "APPLICATION#acme:crm", "sk": "APPLICATION", "id": "crm", "groups": ["sales"], "roles": ["author"]}
KEY, DIGEST = new_key()


class Token:
    """Gives what a token says."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def identity(self, token: str, now: int) -> Identity:
        return Identity("acme", "ann", frozenset(), member=self.member)


def opened(world: Permitted, tenant: str = "acme", application: str | None = "crm") -> Identity:
    """Who a key of an application is."""
    whose: dict[str, Any] = {"tenant": tenant, "principal": "ci", "application": application}
    item = key_item(DIGEST, scopes=("jobs:write",), created_at=NOW, expires_at=None, **whose)
    world.database.write(Put("registry", item))
    return authenticate(f"Bearer {KEY}", world.database, NOW, lambda: Token(Member()))


def of_token(world: Permitted, member: Member) -> Identity:
    return authenticate("Bearer a.b.c", world.database, NOW, lambda: Token(member))


def test_a_key_is_in_the_groups_and_roles_of_its_application() -> None:
    world = Permitted()
    world.register(CRM)
    assert opened(world).member == Member("crm", frozenset({"sales"}), frozenset({"author"}))
    assert opened(world, application=None).member == Member()


@pytest.mark.parametrize("tenant", ["acme", "mallory"])
def test_an_application_that_is_not_the_tenants_or_not_in_use_opens_nothing(tenant: str) -> None:
    world = Permitted()
    world.register(CRM | ({"enabled": False} if tenant == "acme" else {}))
    with pytest.raises(Unauthorized, match="unknown_application"):
        opened(world, tenant)
    assert not is_good(world.database, DIGEST, NOW), "nor does a connection stay open that it had opened"


def test_a_token_is_in_its_own_groups_and_those_of_its_application() -> None:
    world = Permitted()
    world.register(CRM)
    found = of_token(world, Member("crm", frozenset({"night"}), frozenset())).member
    assert (found.groups, found.roles) == ({"sales", "night"}, {"author"})
    with pytest.raises(Unauthorized, match="unknown_application"):
        of_token(world, Member("other"))


def test_more_groups_than_travel_are_refused_and_none_is_left_out() -> None:
    world = Permitted()
    many = frozenset(f"g{number}" for number in range(MOST_NAMES))
    assert of_token(world, Member("", many)).member.groups == many
    for member in (Member("", many | {"more"}), Member("", frozenset({"x" * 4_001})), Member("", many, frozenset("r"))):
        with pytest.raises(Unauthorized, match="too_many_groups"):
            of_token(world, member)


def test_a_credential_of_no_application_costs_no_read_more() -> None:
    counting = CountingDatabase()
    world = Permitted(database=counting)
    world.register(CRM)
    opened(world, application=None)
    assert counting.reads == 1
    opened(world)
    assert counting.reads == 3


def test_a_job_says_its_application_and_lists_go_by_it() -> None:
    world = Permitted()
    mine, other = world.ask(SALES).head, world.ask(MARKETING, now=NOW + 1).head
    assert (mine.application, other.application, world.ask(Member()).head.application) == ("crm", "campaigns", None)
    asked: dict[str, Any] = {"limit": 10, "cursor": None, "wanted": Wanted(application="crm")}
    found = page(world.jobs, "acme", BASE_URL, **asked)
    assert [(row["id"], row["application"]) for row in found["data"]] == [(mine.id, "crm")]
    assert page(world.jobs, "mallory", BASE_URL, **asked)["data"] == []


def test_a_refusal_is_on_record_with_the_rule_and_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_QUEUE", "https://queue.example")
    door = RestDoor(world=Permitted(CREATIVE))
    request = Request(
        *("POST", "/jobs", {}, {}, {}, json.dumps({**CHAT, "model": "creative"})),
        *("acme", "ann", frozenset({"jobs:write"}), "r-1", BASE_URL),
        member=SALES,
    )
    with pytest.raises(PermissionDenied):
        door.api(request)
    (record,) = taken()
    told = {name: record[name] for name in ("kind", "tenant", "by", "application", "reason", "param", "rule")}
    assert told == {
        "kind": "call.denied",
        "tenant": "acme",
        "by": "ann",
        "application": "crm",
        "reason": "permission_denied",
        "param": "model",
        "rule": "creative",
    }


def test_events_belong_to_the_application_of_their_source() -> None:
    world = Permitted({"id": "no-events", "doors": ["event"], "deny": {"tenants": ["acme"], "groups": ["night"]}})
    source = {"pk": "SOURCE#123456789012#shop", "sk": "SOURCE", "tenant": "acme", "application": "crm"}
    world.register(CRM, source)
    rejected = FakeRejections()
    take = EventConsumer(
        *(world.accepting(), Tenants(world.database).of_event, rejected, lambda kind, detail: None),
        member_of=Applications(world.database).member,
    )
    event = {"id": "e-1", "account": "123456789012", "source": "shop", "detail": CHAT}
    accepted = take(json.dumps(event), NOW)
    assert accepted and not isinstance(accepted, str) and accepted.head.application == "crm"
    world.register(CRM | {"groups": ["night"]})
    assert take(json.dumps(event | {"id": "e-2"}), NOW + 60_000) is None
    world.register(CRM | {"enabled": False})
    assert take(json.dumps(event | {"id": "e-3"}), NOW + 120_000) is None
    assert [reason.partition(":")[0] for _, reason in rejected.kept] == ["permission_denied", "unknown_application"]


def test_an_application_is_read_once_in_half_a_minute() -> None:
    counting = CountingDatabase()
    Permitted(database=counting).register(CRM)
    known = Applications(counting)
    assert {known.member("acme", "crm", NOW + late) for late in (0, 1, 29_999)} == {
        Member("crm", frozenset({"sales"}), frozenset({"author"}))
    }
    assert known.member("acme", None, NOW) == Member() and counting.reads == 1
    with pytest.raises(Forbidden):
        known.member("mallory", "crm", NOW)


def test_rows_of_a_batch_are_asked_for_by_who_asked_for_it() -> None:
    rows = Rows()
    rows.put(b"{}\n", asked=by_whom(Caller("acme", "ann", "rest", "r-1", key="k1", member=SALES)))
    batch = rows.batch()
    assert batch.asked[BY_MEMBER] == {"application": "crm", "groups": ["sales"]}
    assert asks_for(batch, {}).who == Who("acme", "", SALES, batch.principal, "k1", "batch")
