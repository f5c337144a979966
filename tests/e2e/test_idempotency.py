"""Idempotency keys: one key, one body, one job."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.stack import Stack, chat


def test_the_same_key_and_body_are_the_same_job(stack: Stack) -> None:
    key = f'"{uuid.uuid4()}"'
    first = stack.api.submit(chat(), idempotency_key=key)
    second = stack.api.submit(chat(), idempotency_key=key)
    assert (first.status, second.status) in ((202, 202), (202, 200))
    assert second.body["id"] == first.body["id"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_the_same_key_with_another_body_is_refused(stack: Stack) -> None:
    key = str(uuid.uuid4())
    stack.api.submit(chat(), idempotency_key=key)
    answer = stack.api.submit(chat("Summarize: other."), idempotency_key=key)
    assert (answer.status, answer.body["error"]["code"]) == (422, "idempotency_key_reused")
    assert answer.body["error"]["param"] == "Idempotency-Key"


def test_keys_of_two_tenants_do_not_meet(stack: Stack) -> None:
    key = str(uuid.uuid4())
    mine = stack.api.submit(chat(), idempotency_key=key)
    theirs = stack.as_tenant("other").submit(chat(), idempotency_key=key)
    assert theirs.status == 202
    assert theirs.body["id"] != mine.body["id"]


def test_a_storm_with_one_key_makes_one_job(stack: Stack) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stack.api.submit(chat(), idempotency_key=key), range(8)))
    taken = [each.body["id"] for each in answers if each.status in (200, 202)]
    others = [(each.status, each.body["error"]["code"]) for each in answers if each.status not in (200, 202)]
    assert len(set(taken)) == 1
    assert set(others) <= {(409, "idempotency_key_in_flight")}


def test_a_refused_request_leaves_its_key_free(stack: Stack) -> None:
    key = str(uuid.uuid4())
    poor = stack.as_tenant("poor")
    body = chat(model="dear", parameters={"max_output_tokens": 1000})
    first = poor.submit(body, idempotency_key=key)
    again = poor.submit(body, idempotency_key=key)
    assert (first.status, again.status) == (402, 402)
