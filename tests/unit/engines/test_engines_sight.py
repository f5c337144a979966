"""Services that see: each picture of a request is a call of its own, and what cannot be read has not passed."""

import base64
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, Rejected
from broker.guardrails.engines.pictures import MOST_CHARACTERS, MOST_PICTURES
from broker.jobs.head import Status
from broker.providers.wire.base import Blob

from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, PNG, REFUSED, Judging
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import BAD, findings, guards, rule

BY_SIGHT = {"pictures": True, "stages": ["input"]}
KEPT = "s3://inbox/acme/a.png"


def url(said: bytes = b"a lamp") -> str:
    return f"data:image/png;base64,{base64.b64encode(PNG + said).decode()}"


def shows(*urls: Any, text: str = "What is this?") -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": each} for each in urls]
    content = [{"type": "text", "text": text}, *parts]
    return {"task": "chat", "model": "sees", "input": {"messages": [{"role": "user", "content": content}]}}


@pytest.fixture(autouse=True)
def _seeing(flow: Flow) -> None:
    flow.stage.media.objects[KEPT] = Blob(PNG, "image/png")
    seen = {"capabilities": ["vision"], "by_name_only": True, "tasks": ["moderate"]}
    flow.world.register(
        a_model("sees", name="sees", capabilities=["vision"], by_name_only=True, context_window=10**7),
        a_model("shield", name="shield", **seen),
        a_model("eyes", name="eyes", provider="rekognition", **seen),
    )


def asked(judging: Judging) -> list[Any]:
    return [call.input.get("file") or call.input["text"] for call in judging.calls if call.task == "moderate"]


def test_a_service_gets_the_texts_and_each_picture_by_itself(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("shield", **BY_SIGHT))
    head = flow(shows({"url": url()}, url(b"a tree"), KEPT))
    assert (head.status, guards(head), findings(flow, head)) == (Status.SUCCEEDED, ["shield"] * 4, [])
    text, *pictures = sorted(asked(judging), key=lambda each: not isinstance(each, str))
    assert text == f"What is this?\n\n{KEPT}"
    assert sorted(pictures, key=str) == sorted(
        [
            *({"data": each.partition(",")[2], "media_type": "image/png"} for each in (url(), url(b"a tree"))),
            {"s3": KEPT},
        ],
        key=str,
    )
    attempts = flow.look(head.id)["attempts"]
    assert [each["operation"] for each in attempts].count("guard") == 4


@pytest.mark.parametrize("head", ["DATA:image/PNG;BASE64,", "data:;base64,", "data:image/png;name=a.png;base64,"])
def test_a_picture_is_seen_however_its_address_is_spelled(flow: Flow, judging: Judging, head: str) -> None:
    flow.hold(rule("eyes", **BY_SIGHT))
    ended = flow(shows(head + url(b"a bomb").partition(",")[2]))
    assert (ended.status, findings(flow, ended)) == (Status.BLOCKED, [("input", "violence", "block", "eyes")])


@pytest.mark.parametrize("bad", [0, 1])
def test_one_picture_among_others_blocks_as_a_text_would(flow: Flow, judging: Judging, bad: int) -> None:
    flow.hold(rule("eyes", **BY_SIGHT))
    urls = [url(), url()]
    urls[bad] = url(b"a bomb")
    head = flow(shows(*urls))
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "violence", "block", "eyes")])
    assert "sees" not in [call.model for call in judging.calls]


@pytest.mark.parametrize(
    ("facts", "status"),
    [({}, "blocked"), ({"threshold": 700}, "succeeded"), ({"kinds": ["nudity"]}, "succeeded")],
)
def test_thresholds_and_kinds_hold_for_pictures(
    flow: Flow, judging: Judging, facts: dict[str, Any], status: str
) -> None:
    judging.moderates["eyes"] = {"flagged": True, "categories": {"Graphic Violence": 0.6}}
    flow.hold(rule("eyes", **BY_SIGHT | facts))
    head = flow(shows(url()))
    assert head.status.value == status
    assert findings(flow, head) == ([("input", "graphic_violence", "block", "eyes")] if status == "blocked" else [])


def test_what_reads_no_texts_is_not_asked_about_any(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("eyes", **BY_SIGHT))
    head = flow(shows(text=BAD))
    assert (head.status, guards(head), asked(judging)) == (Status.SUCCEEDED, [], [])


def test_a_judge_reads_the_texts_where_a_service_only_sees(flow: Flow, judging: Judging) -> None:
    flow.world.register(a_model("judge", name="judge", capabilities=["vision"], by_name_only=True))
    flow.hold(rule("eyes", "judge", **BY_SIGHT))
    head = flow(shows(url(), text=BAD))
    assert (head.status, sorted(guards(head))) == (Status.BLOCKED, ["eyes", "judge"])
    assert findings(flow, head) == [("input", "crime", "block", "judge")]


@pytest.mark.parametrize("task", ["analyze_image", "moderate"])
def test_the_file_of_a_task_that_looks_at_a_picture_is_one(flow: Flow, judging: Judging, task: str) -> None:
    flow.world.register(a_model("sees", name="sees", capabilities=["vision"], tasks=[task]))
    flow.hold(rule("eyes", **BY_SIGHT))
    file = {"data": base64.b64encode(PNG + b"a bomb").decode(), "media_type": "image/png"}
    head = flow({"task": task, "model": "sees", "input": {"file": file}})
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "violence", "block", "eyes")])


@pytest.mark.parametrize(("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded")])
@pytest.mark.parametrize(
    "urls",
    [
        [url()] * (MOST_PICTURES + 1),
        [url(b"and more..") + "AAAA" * (MOST_CHARACTERS // 12)] * 3,
        ["https://example.com/a.png"],
    ],
    ids=["many", "large", "elsewhere"],
)
def test_what_a_service_cannot_be_given_was_not_all_read(
    flow: Flow, judging: Judging, urls: list[str], facts: dict[str, Any], status: str
) -> None:
    flow.hold(rule("shield", **BY_SIGHT | facts))
    head = flow(shows(*urls))
    assert (head.status.value, guards(head), asked(judging)) == (status, [], [])
    assert findings(flow, head) == [("input", "not_all_read", "error", "shield")]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": url(b"a bomb")},
        {"type": "Image", "source": {"type": "base64", "data": "AAAA"}},
        {"type": "image_embeds", "image_embeds": "AAAA"},
        {"type": "text", "text": "Look!", "image_url": {"url": url(b"a bomb")}},
    ],
)
@pytest.mark.parametrize("engine", ["shield", "judge"])
def test_no_picture_passes_in_a_form_that_is_not_the_contracts(
    flow: Flow, judging: Judging, engine: str, part: dict[str, Any]
) -> None:
    flow.world.register(a_model("judge", name="judge", capabilities=["vision"], by_name_only=True))
    flow.hold(rule(engine, **BY_SIGHT))
    body = shows(url())
    body["input"]["messages"][0]["content"].append(part)
    head = flow(body)
    assert (head.status, guards(head)) == (Status.BLOCKED, [])
    assert findings(flow, head) == [("input", "not_all_read", "error", engine)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Rejected("It takes no picture of this format.", code="unsupported_media_type"), "not_all_read"),
        (Rejected("It has too many bytes.", code="bad_size"), "not_all_read"),
        (InvalidRequest("It is not in the inbox.", code="file_gone"), "not_all_read"),
        (DOWN, "engine_failed"),
    ],
)
@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "blocked"),
        ({"fail_open": True}, "succeeded"),
        ({"action": "flag"}, "succeeded"),
        ({"action": "flag", "block_from": 900}, "unread blocks"),
    ],
)
def test_a_picture_that_was_not_judged_has_passed_nobody(
    flow: Flow, judging: Judging, error: BrokerError, kind: str, facts: dict[str, Any], status: str
) -> None:
    judging.fails["eyes"] = error
    flow.hold(rule("eyes", **BY_SIGHT | facts))
    head = flow(shows(url()))
    blocks = kind == "not_all_read" if status == "unread blocks" else status == "blocked"
    assert head.status is (Status.BLOCKED if blocks else Status.SUCCEEDED)
    assert findings(flow, head) == [("input", kind, "error", "eyes")]


def test_a_picture_that_a_provider_refuses_to_read_is_a_find(flow: Flow, judging: Judging) -> None:
    judging.fails["eyes"] = REFUSED
    flow.hold(rule("eyes", **BY_SIGHT | {"fail_open": True}))
    head = flow(shows(url()))
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "refused", "block", "eyes")])


def test_one_picture_that_cannot_be_read_does_not_hide_what_another_shows(flow: Flow, judging: Judging) -> None:
    judging.fails_at["unreadable"] = Rejected("It takes no such picture.", code="unsupported_media_type")
    flow.hold(rule("eyes", **BY_SIGHT | {"fail_open": True}))
    head = flow(shows(url(b"unreadable"), url(b"a bomb")))
    assert head.status is Status.BLOCKED
    assert sorted(findings(flow, head)) == [
        ("input", "not_all_read", "error", "eyes"),
        ("input", "violence", "block", "eyes"),
    ]


@pytest.mark.parametrize("repeats", [False, True])
def test_calls_for_pictures_are_held_for_and_paid_for_once(flow: Flow, judging: Judging, repeats: bool) -> None:
    flow.repeats = repeats
    priced = {"capabilities": ["vision"], "tasks": ["moderate"], "unit_prices": {"images": 10**6}, "price_in": 500}
    flow.world.register(a_model("eyes", name="eyes", provider="rekognition", by_name_only=True, **priced))
    flow.tenant("acme", monthly_budget=10**13)
    flow.hold(rule("eyes", **BY_SIGHT))
    flow.stage.media.objects["s3://inbox/acme/kept-without-a-type"] = Blob(PNG, "")
    head = flow(shows(*[url()] * (MOST_PICTURES - 1), "s3://inbox/acme/kept-without-a-type"))
    assert (head.status, guards(head)) == (Status.SUCCEEDED, ["eyes"] * MOST_PICTURES)
    assert sum(call["r"] for call in head.calls.values()) <= (head.limit or 0)
    assert flow.world.available() == 10**13 - head.spent
