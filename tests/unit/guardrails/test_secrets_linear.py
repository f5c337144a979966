"""Hostile text takes work in proportion to its size: calls are counted, not seconds."""

import sys
from types import FrameType

import pytest
from broker.guardrails.secrets import find_secrets

REPEATED = (
    "ghp_", "sk-", "key:", "key=", "password=", "password=a1b2c3 ", "datadog ", "datadog 1a ", "eyJ", "-u a:",
    "eyJhbGciOiJIUzI1NiJ9.", "-----BEGIN PRIVATE KEY-----", "://a:bcde", "authorization: ", "PuTTY-User-Key-File-2: ",
    '"d":"0a1b2c3d4e5f6a7b8c9d"', "server=a;uid=b;pwd=ab1;", "a", "4 ", "0123456789abcdef", "AAAA", '{"token":',
    "machine a login b ", "datadog key ", "datadog token-1", "secret 0a1b2c3d4e5f6a7b8c9d0 ", "token token ",
)  # fmt: skip


def calls(text: str) -> int:
    """Functions called, Python's own among them."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        list(find_secrets(text))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("repeated", REPEATED)
def test_four_times_the_text_is_four_times_the_work(repeated: str) -> None:
    calls(repeated * 100)
    small, large = (calls((repeated * size)[:size]) for size in (5_000, 20_000))
    assert large <= 4.2 * small + 100
    assert large <= 40 * 20_000


def test_a_text_with_nothing_to_find_costs_one_pass() -> None:
    calls("warm")
    assert calls("The quick brown fox sits on the old wall. " * 5_000) < 100
