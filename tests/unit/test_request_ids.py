"""Providers' ids of requests: kept in few bytes, and given as they were."""

import pytest
from broker.jobs import calls
from broker.jobs.request_ids import LONGEST, packed, unpacked
from broker.providers.wire.sending import replied, watched
from hypothesis import given
from hypothesis import strategies as st

UUID = "915a6a04-3f83-4c70-a277-7fbf7ea546b3"


def is_seen(request_id: str) -> bool:
    return all(" " <= each <= "~" for each in request_id)


@given(st.one_of(st.uuids().map(str), st.uuids().map(lambda each: f"req_{each.hex}"), st.text(max_size=LONGEST + 9)))
def test_what_is_kept_is_given_as_it_was(request_id: str) -> None:
    kept = packed(request_id)
    if kept is None:
        assert not 0 < len(request_id) <= LONGEST or request_id[0] in "~=" or not is_seen(request_id)
    else:
        assert unpacked(kept) == request_id


@pytest.mark.parametrize("request_id", ["\x1b]0;owned\x07", "a\r\nb", "a\tb", "\x7f", "\u202emoc.live", "\x9b31m", "é"])
def test_what_a_terminal_would_obey_or_hide_is_not_kept(request_id: str) -> None:
    assert packed(request_id) is None


@pytest.mark.parametrize("request_id", [UUID, "req_" + UUID.replace("-", "")])
def test_128_bits_are_kept_in_23_characters(request_id: str) -> None:
    assert len(packed(request_id) or "") == 23


def test_letters_that_would_come_back_small_are_kept_as_they_are() -> None:
    assert packed(UUID.upper()) == UUID.upper()


def test_a_call_tells_the_id_and_one_that_has_none_tells_nothing() -> None:
    made = calls.settled({}, {"model": "small", "reserved": 5})
    ended = calls.settled(made, {"cost": 5, "outcome": "succeeded", "paid": "yes", "request_id": UUID})
    assert calls.described(ended)["request_id"] == UUID
    for nothing in (None, "", "x" * (LONGEST + 1)):
        assert "request_id" not in calls.described(calls.settled(made, {"cost": 5, "request_id": nothing}))


@pytest.mark.parametrize("header", ["x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"])
def test_an_error_has_the_id_of_its_reply(header: str) -> None:
    with watched() as watch:
        assert watch.request_id == ""
        replied({header: UUID, "content-type": "application/json"})
    assert watch.request_id == UUID
