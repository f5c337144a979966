"""`POST /admin/can`: the answer is what happens, with each rule that had a say."""

from typing import Any

import pytest
from broker.errors import PermissionDenied
from broker.permissions.who import Member
from broker.tenants.api_keys import kept, key_id, key_item, new_key

from tests.fakes.counting import CountingDatabase
from tests.unit.admin_door import Door
from tests.unit.permissions.permitting_case import CREATIVE, Permitted

NIGHT = {
    "id": "night",
    "tags": ["costly"],
    "within": {"tenants": ["acme"]},
    "deny": {"groups": ["night"]},
    "ask": "Us.",
}
CRM = {"pk": "APPLICATION#acme:crm", "sk": "APPLICATION", "id": "crm", "groups": ["marketing"]}


@pytest.fixture
def world() -> Permitted:
    made = Permitted(CREATIVE, NIGHT, database=CountingDatabase())
    made.register(CRM)
    return made


def can(world: Permitted, who: dict[str, Any], **what: Any) -> dict[str, Any]:
    reply = Door(world.database)("POST", "/admin/can", {"who": {"tenant": "acme", **who}, "what": what})
    assert reply.status == 200
    body: dict[str, Any] = reply.body
    return body


def test_each_rule_that_had_a_say_is_told(world: Permitted) -> None:
    answer = can(world, {"application": "crm", "groups": ["night"]}, model="muse")
    assert (answer["allowed"], answer["who"]["groups"]) == (False, ["marketing", "night"])
    (row,) = answer["models"]
    assert [(rule["id"], rule["allows"], rule["effect"], rule["ask"]) for rule in row["rules"]] == [
        ("creative", True, "allow_only", None),
        ("night", False, "deny", "Us."),
    ]


@pytest.mark.parametrize("groups", [[], ["marketing"], ["night"], ["marketing", "night"]])
@pytest.mark.parametrize("tenant", ["acme", "mallory"])
def test_the_answer_is_what_happens(world: Permitted, tenant: str, groups: list[str]) -> None:
    who = {"tenant": tenant, "groups": groups} if groups else {"tenant": tenant}
    said = {row["model"]: row["allowed"] for row in can(world, who)["models"]}
    for model in ("creative", "small"):
        try:
            world.ask(Member("", frozenset(groups)), tenant, model=model)
            happened = True
        except PermissionDenied:
            happened = False
        assert said[model] is happened


def test_a_key_says_whose_it_is(world: Permitted) -> None:
    key, digest = new_key()
    whose: dict[str, Any] = {"tenant": "acme", "principal": "ci", "application": "crm"}
    world.database.write(*kept(key_item(digest, scopes=(), created_at=0, expires_at=None, **whose)))
    answer = can(world, {"key": key_id(digest)}, model="creative")
    assert (answer["allowed"], answer["who"]["principal"], answer["who"]["application"]) == (True, "ci", "crm")
    assert key not in str(answer)
    other = Door(world.database).fails("POST", "/admin/can", {"who": {"tenant": "mallory", "key": key_id(digest)}})
    assert (other.code, other.param) == ("unknown_key", "who.key")


def test_the_tenants_own_models_count(world: Permitted) -> None:
    world.tenant("mallory", models=["small"])
    rows = {row["model"]: row for row in can(world, {"tenant": "mallory"})["models"]}
    assert (rows["creative"]["in_tenants_models"], rows["small"]["in_tenants_models"]) == (False, True)


@pytest.mark.parametrize(
    ("who", "what", "param"),
    [
        ({"application": "none"}, {}, "who.application"),
        ({"groups": []}, {}, "who.groups"),
        ({}, {"model": "none"}, "what.model"),
        ({}, {"task": "dance"}, "what.task"),
        ({"door": "window"}, {}, "who.door"),
    ],
)
def test_a_question_at_fault_is_refused_by_its_field(
    world: Permitted, who: dict[str, Any], what: dict[str, Any], param: str
) -> None:
    error = Door(world.database).fails("POST", "/admin/can", {"who": {"tenant": "acme", **who}, "what": what})
    assert error.param == param
