"""Pictures that a job makes: engines that see judge them before anybody does."""

import json
from typing import Any

import pytest
from broker.errors import NotFound
from broker.guardrails.engines.pictures import MOST_CHARACTERS, MOST_MADE_BYTES
from broker.jobs.head import Head, Status

from tests.fakes.asking import row
from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, Judging
from tests.fakes.payloads import FakePayloads
from tests.fakes.stage import Stage
from tests.fakes.world import World, a_model
from tests.unit.engines.engines_case import BAD, CHAT, findings, guards, rule, said
from tests.unit.residency_case import MAIL, REDACTS, found
from tests.unit.test_reviews import release

BY_SIGHT = {"pictures": True, "stages": ["output"]}
PICTURE = 10**6
"""Nano-dollars."""


def paints(count: int = 1, text: str = "A lamp.") -> dict[str, Any]:
    return {"task": "generate_image", "input": {"text": text, "count": count}}


class Kept(FakePayloads):
    """Tells which files were read, and may have lost them."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []
        self.lost = False

    def load_file(self, job_id: str, name: str, number: int) -> bytes | None:
        """See `Payloads.load_file`."""
        self.read.append(number)
        return None if self.lost else super().load_file(job_id, name, number)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def flow(judging: Judging, kept: Kept) -> Flow:
    flow = Flow(stage=Stage(provider=judging, world=World(payloads=kept)))
    judging.made = [b"a lamp", b"a tree"]
    priced = {"unit_prices": {"images": PICTURE}, "price_in": 7}
    seen = {"capabilities": ["vision"], "by_name_only": True}
    flow.world.register(
        a_model("painter", name="painter", tasks=["generate_image"], **priced),
        a_model("judge", name="judge", **seen, price_in=3),
        a_model("shield", name="shield", tasks=["moderate"], **seen, **priced),
        a_model("eyes", name="eyes", provider="rekognition", tasks=["moderate"], **seen, **priced),
    )
    return flow


def shown(flow: Flow, head: Head, tenant: str = "acme") -> Any:
    return flow.look(head.id, tenant=tenant)["output"]


@pytest.mark.parametrize("engine", ["judge", "shield", "eyes"])
@pytest.mark.parametrize("repeats", [False, True])
def test_each_picture_is_judged_and_then_linked(flow: Flow, judging: Judging, engine: str, repeats: bool) -> None:
    flow.repeats = repeats
    flow.tenant("acme", monthly_budget=10**13)
    flow.hold(rule(engine, **BY_SIGHT))
    head = flow(paints(2))
    assert (head.status, guards(head), findings(flow, head)) == (Status.SUCCEEDED, [engine] * 2, [])
    assert [file["media_type"] for file in shown(flow, head)["files"] if file["url"]] == ["image/png"] * 2
    assert sum(call["r"] for call in head.calls.values()) <= (head.limit or 0)
    assert flow.world.available() == 10**13 - head.spent
    asked = [str(call.input) for call in judging.calls if call.task != "generate_image"]
    assert not any(file["name"] in each for file in shown(flow, head)["files"] for each in asked)


@pytest.mark.parametrize(("engine", "kind"), [("judge", "crime"), ("shield", "violence"), ("eyes", "violence")])
@pytest.mark.parametrize("bad", [0, 1])
def test_of_a_blocked_answer_no_picture_is_to_be_had(
    flow: Flow, judging: Judging, engine: str, kind: str, bad: int
) -> None:
    judging.made[bad] = b"a bomb"
    flow.hold(rule(engine, **BY_SIGHT))
    head = flow(paints(2))
    assert (head.status, (head.error or {})["code"]) == (Status.BLOCKED, "blocked_output")
    assert findings(flow, head) == [("output", kind, "block", engine)]
    assert shown(flow, head) is None
    for scopes in ("jobs:read", "jobs:read pii:read", "jobs:read jobs:write"):
        job = json.dumps([flow.look(head.id, scopes), flow.look(head.id, scopes, resource="/jobs/{id}/events")])
        assert "https://files" not in job and "files" not in job
    with pytest.raises(NotFound):
        flow.look(head.id, tenant="other")


def test_a_rule_for_texts_or_requests_alone_has_nobody_look_at_what_was_made(flow: Flow, judging: Judging) -> None:
    judging.made = [b"a bomb"]
    flow.hold(rule("shield"), rule("judge", pictures=True, stages=["input"]))
    head = flow(paints())
    assert head.status is Status.SUCCEEDED
    assert [call["m"] for call in head.calls.values()] == ["shield", "judge", "painter"], "and the answer has no text"


def test_an_answer_of_texts_is_read_and_shown_to_nobody_that_only_sees(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("eyes", "judge", **BY_SIGHT))
    assert guards(flow(CHAT)) == ["judge"]
    head = flow(said(BAD))
    assert findings(flow, head) == [("output", "crime", "block", "judge")]


@pytest.mark.parametrize(("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded")])
def test_engines_that_give_no_verdict_have_passed_no_picture(
    flow: Flow, judging: Judging, facts: dict[str, Any], status: str
) -> None:
    judging.fails["eyes"] = DOWN
    flow.hold(rule("eyes", **BY_SIGHT | facts))
    head = flow(paints(2))
    assert (head.status.value, shown(flow, head) is None) == (status, status == "blocked")
    assert findings(flow, head) == [("output", "engine_failed", "error", "eyes")]


@pytest.mark.parametrize(
    ("engine", "sizes", "asked"),
    [
        ("eyes", [MOST_MADE_BYTES // 2, MOST_MADE_BYTES // 2 + 1], []),
        ("eyes", [6_000_000], ["eyes"]),
        ("judge", [MOST_CHARACTERS * 3 // 4], []),
        ("judge", [3_000_000] * 3, ["judge"] * 3),
        ("shield", [1] * 11, []),
    ],
    ids=["all too large", "the service says", "one too large", "one at a time", "more than one asks for"],
)
def test_more_than_is_shown_was_not_all_read(
    flow: Flow, judging: Judging, engine: str, sizes: list[int], asked: list[str]
) -> None:
    judging.made = [b"x" * size for size in sizes]
    flow.hold(rule(engine, **BY_SIGHT))
    head = flow(paints(10))
    assert guards(head) == asked
    assert findings(flow, head) == ([] if asked else [("output", "not_all_read", "error", engine)])


def test_what_is_asked_for_one_after_the_other_is_read_once(flow: Flow, kept: Kept) -> None:
    flow.hold(rule("shield", "judge", combine="cascade", unsure=[0, 1000], **BY_SIGHT))
    head = flow(paints(2))
    assert (guards(head), kept.read) == (["shield"] * 2 + ["judge"] * 2, [1, 2])


def test_pictures_that_are_not_there_any_more_were_not_read(flow: Flow, kept: Kept) -> None:
    kept.lost = True
    flow.hold(rule("eyes", **BY_SIGHT))
    head = flow(paints())
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("output", "not_all_read", "error", "eyes")])


def test_pictures_wait_for_a_person_and_are_not_judged_twice(flow: Flow, judging: Judging) -> None:
    judging.made = [b"a bomb"]
    flow.hold(rule("eyes", **BY_SIGHT | {"action": "review"}))
    head = flow(paints())
    assert (head.is_held, shown(flow, head)) == (True, None)
    ended = release(flow, head, "output")
    assert (ended.status, guards(ended)) == (Status.SUCCEEDED, ["eyes"])
    assert len(shown(flow, ended)["files"]) == 1


def test_no_job_that_makes_no_picture_is_held_for_any(flow: Flow) -> None:
    flow.hold(rule("eyes", **BY_SIGHT))
    flow.tenant("acme", monthly_budget=10**13)
    plain = flow(CHAT | {"model": "small"}).limit or 0
    flow.hold()
    assert plain == flow(CHAT | {"model": "small"}).limit


@pytest.mark.parametrize(("region", "asked"), [("us", []), ("eu", ["eyes"])])
def test_what_a_redacted_request_made_is_still_no_text_and_stays_where_data_has_to(
    flow: Flow, judging: Judging, region: str, asked: list[str]
) -> None:
    seen = {"capabilities": ["vision"], "by_name_only": True, "tasks": ["moderate"]}
    flow.world.register(
        a_model("eyes", name="eyes", provider="rekognition", regions=[region], **seen),
        a_model("judge", name="judge", regions=["us"], by_name_only=True),
        a_model("painter", name="painter", tasks=["generate_image"], regions=["us"]),
        row("all", residency={"regions": ["eu"]}),
    )
    judging.made = [b"a lamp"]
    flow.hold(REDACTS, rule("eyes", **BY_SIGHT), rule("judge", stages=["input"]))
    head = flow(paints(text=f"A lamp for {MAIL}."))
    assert guards(head) == ["judge", *asked], "texts may leave, for they are redacted"
    told = [each for each in found(flow, head) if each[0] == "output"]
    assert told == ([] if asked else [("output", "outside_residency", "error")])
    assert head.status is (Status.SUCCEEDED if asked else Status.BLOCKED)
