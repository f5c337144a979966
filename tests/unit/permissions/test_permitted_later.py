"""Work that is done later for somebody: retries, files and documents are held to the rules as who asked for them."""

import json

from broker.batches.batch import BY_MEMBER
from broker.errors import PermissionDenied
from broker.jobs.head import Status
from broker.permissions.who import Member
from broker.registry.document import parse_registry
from broker.tenants.registry import Tenants

from tests.fakes.inbox import Files
from tests.fakes.world import NOW
from tests.unit.bulk_case import BulkWorld
from tests.unit.permissions.permitting_case import MARKETING, SALES, Permitted

CRM = {"pk": "APPLICATION#acme:crm", "sk": "APPLICATION", "id": "crm", "groups": ["sales"]}
ONLY_MARKETING = {
    "id": "small",
    "models": ["small"],
    "allow_only": {"tenants": ["acme"], "groups": ["marketing"]},
}
RULE = parse_registry({"permissions": [ONLY_MARKETING]}).permissions[0].item()


def test_a_retry_is_held_to_the_rules_of_who_asks_for_it_and_not_of_the_first() -> None:
    for member, counted in ((MARKETING, {"done": 1}), (SALES, {"refused": 1})):
        world = BulkWorld(member=member)
        world.job(Status.FAILED, model="small")
        world.world.register(RULE)
        shown = world.done("retry", status="failed")
        assert {name: count for name, count in shown["counts"].items() if count} == {"matched": 1, **counted}
        assert shown["errors"] == ({} if member is MARKETING else {"permission_denied": 1})


def test_a_file_of_the_inbox_is_asked_for_by_the_tenants_application_for_it() -> None:
    files = Files()
    files.world.tenant("acme", inbox_application="crm")
    files.world.register(CRM, RULE)
    body = json.dumps({"input": {"text": "Hi"}, "model": "small"})
    assert files.taken("acme/a.json", body).error == "permission_denied"
    files.world.register(CRM | {"groups": ["marketing"]})
    taken = files.taken("acme/b.json", body)
    assert taken.error is None
    assert [head.application for head in files.jobs(taken.batch_id)] == ["crm"]


def test_lines_of_a_file_are_a_batch_of_that_application_and_one_out_of_use_brings_nothing_in() -> None:
    files = Files()
    files.world.tenant("acme", inbox_application="crm")
    files.world.register(CRM)
    taken = files.taken("acme/rows.jsonl", "{}")
    batch = files.world.database.get("jobs", f"BATCH#{taken.batch_id}", "BATCH")
    assert batch and batch["asked"][BY_MEMBER] == {"application": "crm", "groups": ["sales"]}
    files.world.register(CRM | {"enabled": False})
    assert files.taken("acme/more.jsonl", "{}").error == "unknown_application"


def test_roles_follow_from_groups_by_the_tenants_entry_as_it_is_now() -> None:
    authors = {"tenants": ["acme"], "roles": ["author"]}
    world = Permitted({"id": "authors", "models": ["creative"], "allow_only": authors})
    world.tenant("mallory", roles={"author": ["sales"]})
    assert world.refused(SALES, model="creative") == ("authors", "model")
    world.tenant("acme", roles={"author": ["sales", "press"]})
    assert world.ask(SALES, model="creative")
    assert world.refused(MARKETING, model="creative") == ("authors", "model")
    assert world.refused(SALES, "mallory", model="creative") == ("authors", "model"), "another tenant's authors"
    assert world.ask(Member("", frozenset(), frozenset({"author"})), model="creative"), "as a token says"


def test_organisations_stand_for_their_tenants() -> None:
    rule = {"id": "group", "models": ["creative"], "allow_only": {"organisations": ["group"]}}
    world = Permitted(rule)
    world.tenant("acme", organisation="group")
    assert Tenants(world.database).get("acme", NOW).organisation == "group"
    assert world.ask(Member(), model="creative")
    assert world.refused(Member(), "mallory", model="creative") == ("group", "model")


def test_an_entry_of_a_tenant_keeps_organisation_and_roles() -> None:
    entry = {"id": "acme", "organisation": "group", "roles": {"author": ["press"]}, "inbox_application": "crm"}
    item = parse_registry({"tenants": [entry]}).tenants[0].item()
    assert (item["organisation"], item["roles"], item["inbox_application"]) == ("group", {"author": ["press"]}, "crm")
    assert "roles" not in parse_registry({"tenants": [{"id": "acme"}]}).tenants[0].item()


def test_an_error_of_a_rule_is_one_of_what_is_forbidden() -> None:
    assert (PermissionDenied.type, PermissionDenied.status) == ("forbidden", 403)
