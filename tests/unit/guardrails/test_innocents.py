"""What doors make and clients send, with digits that happen to pass a card's check: none of it is blocked."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT
from broker.guardrails.walk import input_texts


def checked(digits: str) -> str:
    """The digits with the check digit of a card behind them."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    return digits + str(-sum(number - 9 if number > 9 else number for number in doubled) % 10)


VISA_13, VISA, MASTERCARD = checked("401288888888"), checked("401288888888188"), checked("222300004841001")


def numbers(begin: str, length: int) -> Iterator[str]:
    """Numbers of a length that begin so, with a right check digit."""
    for middle in range(0, 10_000, 397):
        yield checked(f"{begin}{middle:0{length - len(begin) - 1}}")


def blocked(given: dict[str, Any]) -> set[str]:
    return inspect("input", input_texts({"task": "chat", "input": given}), (DEFAULT,)).blocking


DOORS: dict[str, dict[str, Any]] = {
    "a file of the inbox": {"file": {"s3": f"s3://broker-inbox-{VISA_13}/acme/scan.png"}},
    "a bucket named by account": {"file": {"s3": f"s3://inbox-{VISA}/acme/{MASTERCARD}.pdf"}},
    "a picture in a message": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"s3://in-{VISA_13}/a/{VISA}.png"}}],
            }
        ]
    },
    "a picture on the web": {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": f"https://cdn.example/{VISA}/a.png"}]}
        ]
    },
    "a tool's call": {
        "messages": [
            {"role": "user", "content": "go on"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": f"call_{VISA}",
                        "type": "function",
                        "function": {"name": "f", "arguments": f'{{"id": "ord-{VISA}"}}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": f"call_{VISA}", "content": "done"},
        ]
    },
}


@pytest.mark.parametrize("given", DOORS.values(), ids=DOORS)
def test_what_doors_make_is_let_pass(given: dict[str, Any]) -> None:
    assert blocked(given) == set()


TEXTS = {
    "a job's id": f"job_0193a000{VISA}00000001",
    "the address of an object": f"Read s3://bucket-{VISA_13}/a/b.txt, please.",
    "an address": f"https://shop.example/orders/{VISA}/lines",
    "an ARN": f"arn:aws:s3:::inbox-{VISA_13}/a",
    "an IBAN": f"GB82WEST{VISA[:14]}",
    "an order in a longer name": f"ORD-{VISA} and 2026/{VISA_13}-A",
    "a commit": f"commit {VISA}abcdefabcdefabcdefabcd00",
    "digits in a longer number": f"{VISA}0123",
    "an amount": f"It is {VISA}.50 in all.",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_clients_write_is_let_pass(text: str) -> None:
    assert blocked({"text": text}) == set()


def test_times_and_ids_are_let_pass() -> None:
    for number in (*numbers("17620", 13), *numbers("17620", 19)):  # milliseconds and nanoseconds of these years
        assert blocked({"text": f"at {number}"}) == set()
    for number in numbers("4", 13):  # a form that no bank issues any more
        assert blocked({"text": f"id {number} is late"}) == set()
        assert blocked({"file": {"s3": f"s3://broker-inboxbucket-{number}/acme/a.png"}}) == set()
    for at in range(400):
        assert blocked({"text": f"See {uuid.UUID(int=at * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)}."}) == set()
    for number in numbers("4930", 13):
        assert blocked({"text": f"Call +{number} now"}) == set()


@pytest.mark.parametrize("text", [VISA, f"My card is {MASTERCARD}.", f"({VISA})", f"card:{VISA}", f"Visa {VISA_13}"])
def test_and_a_card_is_not(text: str) -> None:
    assert blocked({"text": text}) == {"card_numbers"}
