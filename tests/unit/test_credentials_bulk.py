"""Keys of a pool in the bulk lane: one that has had what it may slows nobody down as long as another is asked."""

from typing import Any

from broker.errors import CredentialRejected, Throttled
from broker.jobs.pacing import _refused
from broker.jobs.transitions import is_refused

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import a_head, a_model
from tests.unit.test_credentials import advance, pool


def staged(*script: Any) -> Stage:
    stage = Stage(lane="bulk")
    stage.world.register(a_model("small", credentials=pool("a", "b")))
    stage.provider.script.extend(script)
    return stage


def calls(stage: Stage) -> list[Any]:
    return list(stage.head.calls.values())


def test_a_key_that_is_refused_is_not_the_model() -> None:
    stage = staged(failing(Throttled))
    assert [advance(stage)["next"] for _ in range(2)] == ["repeat", "moderate"]
    ended = [call | {"o": call.get("o", "succeeded")} for call in calls(stage)]
    assert _refused(ended) == [], "the governor hears nothing of it"


def test_where_all_are_refused_the_job_waits_for_the_rate() -> None:
    stage = staged(*(failing(Throttled) for _ in range(9)))
    ends = [advance(stage, ("small",))["next"] for _ in range(3)]
    assert ends == ["repeat", "wait", "end"]
    assert len(_refused(calls(stage))) == 3
    assert is_refused(stage.head, 1)


def test_a_rejected_key_beside_a_refused_one_does_not_fail_the_job() -> None:
    stage = staged(failing(CredentialRejected), *(failing(Throttled) for _ in range(9)))
    ends = [advance(stage, ("small",))["next"] for _ in range(3)]
    assert ends == ["repeat", "wait", "end"]
    assert is_refused(stage.head, 1)
    alone = staged(*(failing(CredentialRejected) for _ in range(9)))
    assert [advance(alone, ("small",))["next"] for _ in range(2)] == ["repeat", "end"]
    assert not is_refused(alone.head, 1)


def test_of_a_model_with_one_key_a_rejection_is_still_an_end() -> None:
    rejected = {"m": "small", "v": 1, "r": 1, "c": 0, "o": "CredentialRejected"}
    head = a_head(lane="bulk", run=1, calls={"1.1": rejected, "1.2": {**rejected, "o": "Throttled"}})
    assert not is_refused(head, 1)
