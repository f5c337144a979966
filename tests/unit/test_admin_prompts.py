"""The operators' routes of prompts: long ones, labels, and what came of versions."""

import json
from typing import Any

import pytest
from broker.errors import Conflict, NotFound
from broker.prompts.experiments import count
from broker.prompts.templates import Prompts

from tests.fakes.texts import long_text
from tests.fakes.world import NOW, a_head
from tests.unit.admin_door import ARN, ENTRY, Door

LABELS, LABEL = "/admin/prompts/{id}/labels", "/admin/prompts/{id}/labels/{label}"
EXPERIMENTS = "/admin/prompts/{id}/experiments"


def with_prompt() -> Door:
    door = Door()
    prompts = [{"id": "p", "version": number, "user": f"Version {number}."} for number in (1, 2)]
    door("POST", "/admin/apply", {"prompts": prompts})
    return door


def test_a_long_prompt_is_put_listed_in_short_and_shown_whole() -> None:
    door, texts = Door(), [long_text(1_900_000, seed) for seed in range(4)]
    for text in texts:
        put = door("PUT", ENTRY, {"id": "p", "user": text}, kind="prompts", entry_id="p")
        assert put.body["entry"]["user"] == text
    versions = door("GET", f"{ENTRY}/versions", kind="prompts", entry_id="p").body["data"]
    assert [(each["version"], each["entry"], each["omitted"]) for each in versions] == [
        (number, {"id": "p"}, ["user"]) for number in (4, 3, 2, 1)
    ]
    (listed,) = door("GET", "/admin/registry/{kind}", kind="prompts").body["data"]
    assert (listed["version"], listed["omitted"]) == (4, ["user"])
    old = door("GET", ENTRY, kind="prompts", entry_id="p", query={"version": "2"})
    assert (old.body["entry"], old.body["omitted"], old.headers) == ({"id": "p", "user": texts[1]}, [], {"etag": '"2"'})
    plan = door("POST", "/admin/plan", {"prompts": [{"id": "p", "user": texts[0]}]})
    assert len(json.dumps(plan.body)) < 50_000, "two texts of two megabytes are no reply"
    back = door("POST", f"{ENTRY}/rollback", {"version": 2}, kind="prompts", entry_id="p", if_match='"4"')
    assert (back.body["version"], back.body["entry"]["user"]) == (5, texts[1])
    unknown = door.fails("GET", ENTRY, kind="prompts", entry_id="p", query={"version": "9"})
    assert (type(unknown), unknown.code, unknown.param) == (NotFound, "unknown_version", "version")


def test_a_label_divides_the_traffic_moves_and_goes() -> None:
    door = with_prompt()
    none = door("GET", LABELS, entry_id="p")
    assert (none.body, none.headers) == ({"object": "labels", "id": "p", "version": 0, "labels": {}}, {"etag": '"0"'})
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    put = door("PUT", LABEL, {"arms": arms}, entry_id="p", if_match='"0"')
    assert (put.status, put.body["version"], put.body["labels"]) == (200, 1, {"production": arms})
    assert door("GET", LABELS, entry_id="p") == put
    prompts = Prompts(door.database, door.texts)
    taken = {prompts.fill({"id": "p"}, f"key-{number}", NOW).used["version"] for number in range(100)}
    assert taken == {1, 2}
    assert door("PUT", LABEL, {"arms": arms}, entry_id="p").body["version"] == 1, "nothing changed"
    both = door("PUT", LABEL, {"arms": [{"version": 2}]}, entry_id="p", label="staging").body["labels"]
    assert both == {"production": arms, "staging": [{"version": 2, "weight": 100}]}
    gone = door("PUT", LABEL, {"arms": []}, entry_id="p").body
    assert (gone["version"], set(gone["labels"])) == (3, {"staging"})
    back = door("POST", f"{ENTRY}/rollback", {"version": 1}, kind="labels", entry_id="p")
    assert back.body["by"] == ARN
    assert door("GET", LABELS, entry_id="p").body["labels"] == {"production": arms}


@pytest.mark.parametrize(
    ("body", "label", "code", "param"),
    [
        ({"arms": [{"version": 9}]}, "production", "unknown_version", "labels.production.0.version"),
        ({"arms": [{"version": 1, "weight": 0}]}, "production", "invalid_field", "arms.0.weight"),
        ({"arms": [{"version": 1}, {"version": 1}]}, "production", "invalid_field", "arms"),
        ({}, "production", "invalid_field", "arms"),
        ({"arms": [{"version": 1}]}, "a b", "invalid_field", "labels.a b"),
    ],
)
def test_a_label_at_fault_is_named(body: Any, label: str, code: str, param: str) -> None:
    error = with_prompt().fails("PUT", LABEL, body, entry_id="p", label=label)
    assert (error.code, error.param) == (code, param)


def test_a_label_is_held_against_the_version_that_was_read() -> None:
    door = with_prompt()
    arms = {"arms": [{"version": 1}]}
    door("PUT", LABEL, arms, entry_id="p")
    for body in (arms, {"arms": []}):
        assert type(door.fails("PUT", LABEL, body, entry_id="p", if_match='"0"')) is Conflict


def test_what_came_of_versions_is_compared() -> None:
    door = with_prompt()
    assert door("GET", EXPERIMENTS, entry_id="p").body == {"id": "p", "object": "experiment", "arms": []}
    head = a_head(status="succeeded", ended_at=NOW + 500)
    door.database.write(count(head, {"id": "p", "version": 2, "label": "production"}))
    (arm,) = door("GET", EXPERIMENTS, entry_id="p").body["arms"]
    assert (arm["version"], arm["label"], arm["jobs"], arm["success_rate"]) == (2, "production", 1, 1.0)


@pytest.mark.parametrize(("method", "resource"), [("GET", LABELS), ("PUT", LABEL), ("GET", EXPERIMENTS)])
def test_there_is_nothing_to_a_prompt_that_is_not_there(method: str, resource: str) -> None:
    error = Door().fails(method, resource, {"arms": []}, entry_id="nobody")
    assert (type(error), error.code) == (NotFound, "unknown_entry")
