"""Card numbers: those of each network, in groups or not, and none of what only looks like one."""

import pytest
from broker.guardrails.cards import card_numbers, luhn
from hypothesis import given
from hypothesis import strategies as st

VISA = "4111111111111111"

CARDS = {
    "Visa": VISA,
    "Visa of 13 digits": "4222222222222",
    "Visa of 19 digits": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard, the newer range": "2223003122003222",
    "American Express, 34": "340000000000009",
    "American Express, 37": "378282246310005",
    "Diners Club, 305": "30569309025904",
    "Diners Club, 36": "36227206271667",
    "Diners Club, 38": "38520000023237",
    "Discover": "6011111111111117",
    "Discover, 65": "6500000000000002",
    "JCB": "3530111333300000",
    "UnionPay": "6200000000000005",
}


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
def test_each_networks_numbers_are_found(number: str) -> None:
    assert list(card_numbers(f"Pay with {number}, please.")) == [number]


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
def test_each_wrong_check_digit_is_let_pass(number: str) -> None:
    for digit in set("0123456789") - {number[-1]}:
        assert list(card_numbers(number[:-1] + digit)) == []


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 1111-1111 1111",
        " ".join(VISA),
        f"17 {VISA}",
        "no. 17 4111 1111 1111 1111",
        f"card:{VISA}.",
        f"x{VISA}x",
    ],
)
def test_groups_are_one_number(text: str) -> None:
    assert list(card_numbers(text)) == [VISA]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000000000000000",  # the check digit is right, but nobody issues it
        "1234567812345670",
        f"9{VISA}",
        f"{VISA}9",
        f"{VISA}{VISA}",
        "4111  1111  1111  1111",
        "4111.1111.1111.1111",
        "4111 1111 1111 111",
        "2220999999999999",
        "2024-11-18 12:00:00",
        "+49 171 1234567",
    ],
)
def test_what_is_no_card_is_let_pass(text: str) -> None:
    assert list(card_numbers(text)) == []


@given(st.from_regex(r"[0-9]{12,18}", fullmatch=True))
def test_just_one_check_digit_is_right(body: str) -> None:
    assert sum(luhn(body + digit) for digit in "0123456789") == 1


@given(st.from_regex(r"4[0-9]{14}", fullmatch=True), st.sampled_from(["", " ", "-"]), st.text("ab .,\n", max_size=20))
def test_a_visa_number_is_found_in_any_text(body: str, between: str, around: str) -> None:
    number = next(body + digit for digit in "0123456789" if luhn(body + digit))
    written = between.join(number[at : at + 4] for at in range(0, 16, 4))
    assert list(card_numbers(f"{around}.{written}.{around}")) == [number]
