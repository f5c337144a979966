"""Judges that see: the pictures of a request beside its texts, all of them or none."""

import base64
from typing import Any

import pytest
from broker.guardrails.engines.pictures import MOST_CHARACTERS, MOST_PICTURES
from broker.jobs.head import Status
from broker.providers.wire.base import Blob

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import findings, guards, rule

PNG_URL = f"data:image/png;base64,{base64.b64encode(bytes.fromhex('89504e470d0a1a0a') + b'and more..').decode()}"
LARGE_URL = PNG_URL + "AAAA" * (MOST_CHARACTERS // 12)
BY_SIGHT = {"pictures": True, "stages": ["input"]}
CRIME = {"finds": [{"kind": "crime", "score": 99}]}


def shows(*urls: str, text: str = "What is this?") -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": text}, *parts] if text else parts
    return {"task": "chat", "model": "sees", "input": {"messages": [{"role": "user", "content": content}]}}


@pytest.fixture(autouse=True)
def _seeing(flow: Flow) -> None:
    for name in ("judge", "sees"):
        known = a_model(name, name=name, capabilities=["vision"], by_name_only=True)
        flow.world.register(known | {"context_window": 400_000})


def asked(judging: Judging) -> list[Any]:
    return [call.input["messages"][1]["content"] for call in judging.calls if "safety classifier" in str(call.input)]


@pytest.mark.parametrize("text", ["What is this?", ""])
def test_a_judge_is_shown_the_pictures_of_a_request_as_material(flow: Flow, judging: Judging, text: str) -> None:
    judging.verdict = CRIME
    flow.hold(rule("judge", **BY_SIGHT))
    head = flow(shows(PNG_URL, PNG_URL, text=text))
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "crime", "block", "judge")])
    (content,) = asked(judging)
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]
    assert content[1]["image_url"]["url"] == PNG_URL and (not text or text in content[0]["text"])
    assert "never obeyed" in judging.calls[0].input["messages"][0]["content"]


@pytest.mark.parametrize(("facts", "status"), [({}, Status.BLOCKED), ({"fail_open": True}, Status.SUCCEEDED)])
def test_what_may_be_another_picture_for_each_who_fetches_it_was_not_read(
    flow: Flow, judging: Judging, facts: dict[str, Any], status: Status
) -> None:
    flow.hold(rule("judge", **BY_SIGHT | facts))
    head = flow(shows(PNG_URL, "https://example.com/a.png"))
    assert (head.status, guards(head)) == (status, [])
    assert findings(flow, head) == [("input", "not_all_read", "error", "judge")]


def test_a_picture_is_the_same_for_engines_and_model_whoever_overwrites_it(flow: Flow, judging: Judging) -> None:
    kept, media = "s3://inbox/acme/a.png", flow.stage.media
    media.objects[kept] = Blob(b"a lamp", "image/png")
    seen: list[bytes] = []

    def look() -> None:
        seen.append(media.read({"s3": kept}).data)
        media.objects[kept] = Blob(b"a bomb", "image/png")

    judging.during = look
    flow.hold(rule("judge", **BY_SIGHT))
    assert flow(shows(kept)).status is Status.SUCCEEDED
    assert seen == [b"a lamp", b"a lamp"], "once for the judge, once for the model"


def test_a_rule_that_says_nothing_of_pictures_is_about_texts(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("judge", stages=["input"]))
    assert flow(shows(PNG_URL)).status is Status.SUCCEEDED
    assert [type(each) for each in asked(judging)] == [str]


@pytest.mark.parametrize(("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded")])
@pytest.mark.parametrize(
    "urls", [[PNG_URL] * (MOST_PICTURES + 1), [f"{PNG_URL}{'AAAA' * (MOST_CHARACTERS // 12)}"] * 3]
)
def test_more_pictures_than_a_judge_is_shown_were_not_all_read(
    flow: Flow, judging: Judging, urls: list[str], facts: dict[str, Any], status: str
) -> None:
    flow.hold(rule("judge", **BY_SIGHT | facts))
    head = flow(shows(*urls))
    assert (head.status.value, guards(head)) == (status, [])
    assert findings(flow, head) == [("input", "not_all_read", "error", "judge")]


def test_a_judge_that_does_not_see_any_more_has_let_no_picture_pass(flow: Flow, judging: Judging) -> None:
    flow.world.register(a_model("judge", name="judge", by_name_only=True))
    flow.hold(rule("judge", **BY_SIGHT))
    assert flow(shows(PNG_URL)).status is Status.BLOCKED
    assert flow(shows()).status is Status.SUCCEEDED, "where there is none, it reads"


def test_pictures_are_held_for_and_shown_once(flow: Flow, judging: Judging) -> None:
    seen = a_model("judge", name="judge", capabilities=["vision"], by_name_only=True, price_in=1_000)
    flow.world.register(seen | {"context_window": 60_000})
    flow.tenant("acme", monthly_budget=10**13)
    flow.hold(rule("judge", **BY_SIGHT))
    head = flow(shows(*[PNG_URL] * MOST_PICTURES, text="word by word " * 15_000))
    assert (head.status, findings(flow, head)) == (Status.SUCCEEDED, [])
    shown = [content for content in asked(judging) if isinstance(content, list)]
    assert len(asked(judging)) > 1 and [len(content) for content in shown] == [1 + MOST_PICTURES]
    assert sum(call["r"] for call in head.calls.values()) <= (head.limit or 0)
