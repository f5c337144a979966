"""What clients do over a connection, odd and hostile ones among them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import BatchStatus
from broker.errors import BrokerError, Forbidden, InvalidRequest, NotFound, TooLarge, TooManyAtOnce
from broker.push.connection import LONGEST_MS, MOST_CONNECTIONS, MOST_SUBSCRIPTIONS, SILENT_MS
from broker.push.messages import LONGEST_REF, MOST_BYTES, parse, ref_of

from tests.fakes.world import BASE_URL, JOB_ID, NOW
from tests.unit.push_case import BATCH_ID, DIGESTS, DONE, RUNNING, Push, ends


@pytest.fixture
def push() -> Push:
    made = Push()
    made.put(RUNNING)
    made.put_batch()
    return made


def test_a_subscription_is_answered_with_the_job_as_it_stands(push: Push) -> None:
    answer = push.listens("c1", job=JOB_ID, ref="r")
    assert answer["state"].pop("usage")
    assert answer == {
        "type": "subscribed",
        "ref": "r",
        "job": JOB_ID,
        "state": {
            **{"sequence": 2, "job_id": JOB_ID, "status": "running", "task": "chat", "model": None, "error": None},
            "url": f"{BASE_URL}/jobs/{JOB_ID}",
        },
    }


def test_a_subscription_to_a_batch_too(push: Push) -> None:
    answer = push.listens("c1", batch=BATCH_ID)
    assert answer["state"] == {
        **{"sequence": 1, "batch_id": BATCH_ID, "status": "validating"},
        "url": f"{BASE_URL}/batches/{BATCH_ID}",
    }


def test_what_is_committed_while_it_subscribes_is_in_the_answer(push: Push) -> None:
    push.open("c1")
    # Between the look that allows it and the write of the subscription, the job ends, and the stream finds nobody.
    push.world.database.meanwhile.append(lambda: (push.tells(ends()), push.put(DONE)))
    answer = push.says("c1", action="subscribe", job=JOB_ID)
    assert push.heard("c1") == []
    assert (answer["state"]["status"], answer["state"]["sequence"]) == ("succeeded", 3)


@pytest.mark.parametrize("subject", [{"job": JOB_ID}, {"batch": BATCH_ID}])
def test_what_is_another_tenants_is_not_found_as_what_there_is_not(push: Push, subject: dict[str, str]) -> None:
    push.open("c1", "rival")
    told = []
    for each in (subject, {name: value[:-1] + "f" for name, value in subject.items()}):
        with pytest.raises(NotFound) as error:
            push.says("c1", "rival", action="subscribe", **each)
        told.append(error.value.facts())
    assert told[0] == told[1]
    (kept,) = push.connections.open_in("rival", NOW)
    assert kept.subscriptions == 0
    push.tells(ends())
    assert push.gateway.posts == []


def test_a_connection_of_another_tenant_cannot_be_spoken_for(push: Push) -> None:
    push.open("c1")
    assert push.says("c1", "rival", action="subscribe", all=True) is None
    push.listen.close("c1", "rival")
    assert push.says("c1", action="ping") == {"type": "pong"}


def test_who_unsubscribes_hears_no_more(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    assert push.says("c1", action="unsubscribe", job=JOB_ID) == {"type": "unsubscribed", "job": JOB_ID}
    push.tells(ends())
    assert push.gateway.posts == []
    assert push.says("c1", action="unsubscribe", job="job_never")["type"] == "unsubscribed"


@pytest.mark.parametrize("subject", [{"job": JOB_ID}, {"batch": BATCH_ID}, {"all": True}])
def test_each_subject_ends_by_itself(push: Push, subject: dict[str, Any]) -> None:
    push.open("c1")
    for each in ({"job": JOB_ID}, {"batch": BATCH_ID}, {"all": True}):
        push.says("c1", action="subscribe", **each)
    push.says("c1", action="unsubscribe", **subject)
    (kept,) = push.connections.open_in("acme", NOW)
    left = {"job": bool(kept.jobs), "batch": bool(kept.batches), "all": kept.all}
    assert [name for name, has in left.items() if not has] == list(subject)


def test_a_connection_that_closed_is_forgotten_and_may_be_again(push: Push) -> None:
    push.listens("c1", all=True)
    push.listen.close("c1", "acme")
    push.listen.close("c1", "acme")
    assert push.tells(ends()) == 0
    assert push.says("c1", action="subscribe", all=True) is None, "it is not brought back"


def test_a_message_that_comes_while_its_connection_is_forgotten_does_not_bring_it_back(push: Push) -> None:
    push.open("c1")
    push.world.database.meanwhile.append(lambda: push.listen.close("c1", "acme"))
    assert push.says("c1", action="subscribe", job=JOB_ID) is None
    assert push.connections.open_in("acme", NOW) == []


def test_two_messages_of_one_connection_at_once_are_both_kept(push: Push) -> None:
    push.put(replace(RUNNING, id="job_2"))
    push.open("c1")
    push.world.database.meanwhile.append(lambda: push.says("c1", action="subscribe", job="job_2"))
    push.says("c1", action="subscribe", job=JOB_ID)
    (kept,) = push.connections.open_in("acme", NOW)
    assert set(kept.jobs) == {JOB_ID, "job_2"}


def test_without_the_scope_nobody_connects(push: Push) -> None:
    with pytest.raises(Forbidden):
        push.open("c1", scopes=frozenset({"jobs:write"}))
    push.open("c2", scopes=frozenset({"*"}))


def test_a_tenant_has_so_many_connections_and_another_has_its_own(push: Push) -> None:
    for number in range(MOST_CONNECTIONS):
        push.open(f"c{number}")
    with pytest.raises(TooManyAtOnce) as error:
        push.open("more")
    assert error.value.code == "too_many_connections"
    push.open("other", "rival")
    assert len(push.connections.open_in("acme", NOW)) == MOST_CONNECTIONS
    push.listen.close("c0", "acme")
    push.open("more")


def test_connections_that_come_at_once_are_no_more_either(push: Push) -> None:
    for number in range(MOST_CONNECTIONS - 1):
        push.open(f"c{number}")

    def another() -> None:
        push.open("first")

    push.world.database.meanwhile.append(another)
    with pytest.raises(TooManyAtOnce):
        push.open("second")
    assert len(push.connections.open_in("acme", NOW)) == MOST_CONNECTIONS


def test_connections_whose_end_nobody_told_do_not_count_for_ever(push: Push) -> None:
    for number in range(MOST_CONNECTIONS):
        push.open(f"c{number}")
    push.open("later", now=NOW + LONGEST_MS)


def test_connections_that_were_never_open_make_room_and_those_that_listen_stay(push: Push) -> None:
    for number in range(MOST_CONNECTIONS - 1):
        push.open(f"c{number}")
    push.listens("old", all=True)
    with pytest.raises(TooManyAtOnce):
        push.open("soon", now=NOW + SILENT_MS - 1)
    push.open("later", now=NOW + SILENT_MS)
    assert {each.id for each in push.connections.open_in("acme", NOW)} == {"old", "later"}
    assert push.says("c1", action="ping", now=NOW + SILENT_MS) is None, "it is closed, and may come again"


def test_a_record_is_deleted_by_its_time(push: Push) -> None:
    push.open("c1")
    item = push.world.database.get("ledger", "PUSH#acme", "CONNECTION#c1")
    assert item and 0 <= item["expires_at"] - (NOW + LONGEST_MS) // 1000 <= 600


def test_a_connection_listens_to_so_many_and_makes_room_of_what_has_ended(push: Push) -> None:
    push.open("c1")
    for number in range(MOST_SUBSCRIPTIONS):
        push.put(replace(RUNNING, id=f"job_{number}"))
        push.says("c1", action="subscribe", job=f"job_{number}")
    with pytest.raises(TooManyAtOnce) as error:
        push.says("c1", action="subscribe", job=JOB_ID)
    assert (error.value.code, error.value.param) == ("too_many_subscriptions", "job")
    assert push.says("c1", action="subscribe", job="job_3")["type"] == "subscribed", "it has it already"
    assert push.says("c1", action="subscribe", all=True)["type"] == "subscribed"
    push.put(replace(DONE, id="job_7"))
    assert push.says("c1", action="subscribe", job=JOB_ID)["type"] == "subscribed"
    (kept,) = push.connections.open_in("acme", NOW)
    assert "job_7" not in kept.jobs and len(kept.jobs) == MOST_SUBSCRIPTIONS


def test_ended_batches_make_room_too(push: Push) -> None:
    push.open("c1")
    push.says("c1", action="subscribe", batch=BATCH_ID)
    for number in range(MOST_SUBSCRIPTIONS - 1):
        push.put(replace(RUNNING, id=f"job_{number}"))
        push.says("c1", action="subscribe", job=f"job_{number}")
    push.put_batch(status=BatchStatus.CANCELLED)
    assert push.says("c1", action="subscribe", job=JOB_ID)["type"] == "subscribed"


@pytest.mark.parametrize("change", [{"status": "revoked"}, {"valid_until": NOW}])
def test_a_key_that_is_revoked_or_over_ends_it_at_the_next_message(push: Push, change: dict[str, Any]) -> None:
    push.open("c1")
    assert push.says("c1", action="ping") == {"type": "pong"}
    push.key("acme", DIGESTS["acme"], **change)
    assert push.says("c1", action="ping") is None
    assert push.says("c1", action="subscribe", job=JOB_ID) is None


def test_a_key_that_was_deleted_ends_it(push: Push) -> None:
    push.open("c1", digest="c" * 64)
    assert push.says("c1", action="ping") is None


def test_a_token_ends_it_when_it_ends(push: Push) -> None:
    push.open("c1", digest="", until=NOW + 5_000)
    assert push.says("c1", action="ping", now=NOW + 4_999) == {"type": "pong"}
    assert push.says("c1", action="ping", now=NOW + 5_000) is None


def test_each_message_and_connection_counts_against_the_rate_of_calls(push: Push) -> None:
    push.open("c1")
    push.says("c1", action="ping")
    assert push.asked == ["acme", "acme"]


BAD: dict[str, tuple[str, type[BrokerError], str | None]] = {
    "no JSON": ("hello", InvalidRequest, None),
    "nothing": ("", InvalidRequest, None),
    "a list": ("[]", InvalidRequest, None),
    "null": ("null", InvalidRequest, None),
    "a number": ("1", InvalidRequest, None),
    "deep": ("[" * 2_000 + "]" * 2_000, InvalidRequest, None),
    "no action": ("{}", InvalidRequest, "action"),
    "an unknown action": ('{"action": "publish"}', InvalidRequest, "action"),
    "an action that is no text": ('{"action": ["subscribe"]}', InvalidRequest, "action"),
    "no subject": ('{"action": "subscribe"}', InvalidRequest, "job"),
    "two subjects": ('{"action": "subscribe", "job": "job_1", "all": true}', InvalidRequest, "all"),
    "a job that is no text": ('{"action": "subscribe", "job": {"id": 1}}', InvalidRequest, "job"),
    "a job that is no id": ('{"action": "subscribe", "job": "../../x"}', InvalidRequest, "job"),
    "a long id": (json.dumps({"action": "subscribe", "job": "j" * 65}), InvalidRequest, "job"),
    "an empty id": ('{"action": "subscribe", "batch": ""}', InvalidRequest, "batch"),
    "not all": ('{"action": "subscribe", "all": false}', InvalidRequest, "all"),
    "all but": ('{"action": "subscribe", "all": 1}', InvalidRequest, "all"),
    "rows of a job": ('{"action": "subscribe", "job": "job_1", "rows": true}', InvalidRequest, "rows"),
    "some rows": ('{"action": "subscribe", "batch": "batch_1", "rows": 3}', InvalidRequest, "rows"),
    "a strange field": ('{"action": "subscribe", "job": "job_1", "tenant": "rival"}', InvalidRequest, "tenant"),
    "a ping about a job": ('{"action": "ping", "job": "job_1"}', InvalidRequest, "job"),
    "a ref that is none": ('{"action": "ping", "ref": 1}', InvalidRequest, "ref"),
    "a long ref": (json.dumps({"action": "ping", "ref": "r" * (LONGEST_REF + 1)}), InvalidRequest, "ref"),
    "too large": (json.dumps({"action": "ping", "ref": "r" * MOST_BYTES}), TooLarge, None),
    "too large in bytes": (json.dumps({"action": "ü" * 2_050}, ensure_ascii=False), TooLarge, None),
    "half a character": ('{"action": "\ud800"}', InvalidRequest, "action"),
}


@pytest.mark.parametrize(("text", "kind", "param"), BAD.values(), ids=BAD)
def test_a_bad_message_is_refused_and_the_field_named(text: str, kind: type[BrokerError], param: str | None) -> None:
    with pytest.raises(kind) as error:
        parse(text)
    assert type(error.value) is kind and error.value.param == param


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('{"action": "nonsense", "ref": "a"}', "a"),
        ('{"ref": 1}', None),
        ("[1]", None),
        ("{", None),
        ("x" * 10_000, None),
    ],
)
def test_errors_have_the_ref_where_there_is_one(text: str, ref: str | None) -> None:
    assert ref_of(text) == ref
