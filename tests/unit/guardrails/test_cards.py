"""Card numbers: those of each network, in groups or not, and none of what only looks like one."""

import random

import pytest
from broker.guardrails.cards import find_cards
from broker.guardrails.numbers import luhn
from hypothesis import given
from hypothesis import strategies as st

VISA = "4111111111111111"

CARDS = {
    "visa": (VISA, "4000000000000000006"),
    "mastercard": ("5555555555554444", "2223003122003222", "2720990000000007"),
    "american_express": ("340000000000009", "378282246310005"),
    "diners_club": ("30569309025904", "36227206271667", "38520000023237", "30950000000000"),
    "discover": ("6011111111111117", "6500000000000002"),
    "jcb": ("3530111333300000", "213100000000001", "180000000000002"),
    "union_pay": ("6200000000000005", "8100000000000002"),
    "maestro": ("6759000000000000", "5018000000000009", "676100000000000", "6763000000000000003"),
    "laser": ("6304000000000000", "6771000000000005"),
    "dankort": ("5019000000000000", "4571000000000001"),
    "insta_payment": ("6370000000000000", "6390000000000006"),
    "mir": ("2200000000000004", "2204000000000000"),
    "rupay": ("8200000000000000", "5080000000000000"),
    "elo": ("5067000000000000", "6362970000000000"),
    "hipercard": ("6062820000000000",),
    "troy": ("9792000000000001",),
    "verve": ("5060990000000000",),
    "bc_card": ("9420000000000000",),
}
"""Of some the last digit is made right below."""


def checked(number: str) -> str:
    return next(number[:-1] + digit for digit in "0123456789" if luhn(number[:-1] + digit))


NUMBERS = [(kind, checked(number)) for kind, numbers in CARDS.items() for number in numbers]


def found(text: str) -> list[str]:
    return [text[span.begin : span.end] for span in find_cards(text)]


@pytest.mark.parametrize(("kind", "number"), NUMBERS)
def test_each_networks_numbers_are_found(kind: str, number: str) -> None:
    text = f"Pay with {number}, please."
    assert found(text) == [number]
    assert [span.kind for span in find_cards(text)] == [kind]


@pytest.mark.parametrize(("kind", "number"), NUMBERS)
def test_each_wrong_check_digit_is_let_pass(kind: str, number: str) -> None:
    for digit in set("0123456789") - {number[-1]}:
        assert found(f"Pay with {number[:-1]}{digit}, please.") == []


@pytest.mark.parametrize(
    "written",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20111111\u20111111",
        "4111\n1111\n1111\n1111",
        "4111\r\n1111\r\n1111\r\n1111",
        "4111 1111-1111 1111",
        "\uff14\uff11\uff11\uff11" + "\uff11" * 12,
        " ".join(VISA),
        "3782 822463 10005",
        "3056 930902 5904",
    ],
)
def test_groups_are_one_number(written: str) -> None:
    for text in (f"It is {written}.", f"no. 17 {written}", f"({written})", f"{written} 12/27 123", f"“{written}”"):
        assert found(text) == [written]


@pytest.mark.parametrize(
    "text",
    [
        "card:{}.",
        "card{}",
        "x{}x",
        "Visa-{}",
        "卡号{}是",
        "a,{},12/27",
        "{}/12/27",
        "{}|12|27|123",
        "{}.Thanks",
        "- {}",
    ],
)
def test_what_may_stand_beside_a_number(text: str) -> None:
    assert found(text.format(VISA)) == [VISA]


def test_what_is_asked_of_a_url_is_no_path() -> None:
    assert found(f"https://shop.example/pay?card={VISA}&x=1") == [VISA]
    assert found(f"https://shop.example/pay/{VISA}") == []


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
        "4111 1111 1111 111",
        "12-4111-1111-1111-1111",
        "4111-1111-1111-1111-1111",
        "2220999999999999",
        "2024-11-18 12:00:00",
        "+49 171 1234567",
        f"+{VISA}",
        f"0.{VISA}",
        f"3.{VISA}",
        f"${VISA}",
    ],
)
def test_what_is_no_card_is_let_pass(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "inbox-4222222222222",
        "inbox-4111111111111111",
        "s3://inbox-4111111111111111/in/4111111111111111/file.json",
        "https://inbox-4111111111111111.s3.eu-central-1.amazonaws.com/4111111111111111",
        "arn:aws:s3:::inbox-4111111111111111",
        "/data/4111111111111111/x",
        "4111111111111111.pdf",
        "job_4111111111111111",
        "job_4111111111111111_2",
        "a3f4111111111111111bc",
        "41111111-1111-1111-1111-111111111111",
        "4111111111111111@example.com",
        "order 4111111111111111",
        "Order number: 4111111111111111",
        "tracking no. 4111111111111111",
        "Bestellnummer 4111111111111111",
        "timestamp=4111111111111111",
        "at 1731931200008 ms",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
    ],
)
def test_digits_within_something_longer_are_no_card(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("number", ["4222222222222", "675900000007", "110000000000001", "500000000006"])
def test_short_and_weakly_marked_numbers_need_a_word(number: str) -> None:
    number = checked(number)
    assert found(f"The number is {number}.") == []
    for word in (
        "card",
        "Kreditkarte",
        "carte bancaire",
        "tarjeta",
        "carta di credito",
        "cartão",
        "creditcard",
        "银行卡",
    ):
        assert found(f"{word} {number}") == [number]


def test_union_pay_without_a_check_digit_needs_its_name() -> None:
    number = "6222021234567894321"
    assert not luhn(number)
    assert found(f"card {number}") == []
    assert found(f"UnionPay {number}") == found(f"银联卡 {number}") == [number]


def test_a_table_of_numbers_is_no_list_of_cards() -> None:
    rows = random.Random(7)
    assert found(" ".join(f"{rows.randrange(10_000):04}" for _ in range(5_000))) == []
    assert found(" ".join(str(rows.randrange(10)) for _ in range(5_000))) == []


def test_a_list_of_cards_is_one() -> None:
    assert len(found("4111 1111 1111 1111\n5555 5555 5555 4444\n" * 100)) == 200
    assert found(f"{VISA} 3782 822463 10005") == [VISA, "3782 822463 10005"]


@given(st.from_regex(r"[0-9]{12,18}", fullmatch=True))
def test_just_one_check_digit_is_right(body: str) -> None:
    assert sum(luhn(body + digit) for digit in "0123456789") == 1


SENTENCE = st.text("abc ,;!?\n", max_size=20)


@given(st.from_regex(r"4[0-9]{14}", fullmatch=True), st.sampled_from(["", " ", "-", ".", "\n"]), SENTENCE, SENTENCE)
def test_a_visa_number_is_found_in_any_text(body: str, between: str, before: str, after: str) -> None:
    number = checked(body + "0")
    written = between.join(number[at : at + 4] for at in range(0, 16, 4))
    text = f"{before} {written}, {after}"
    (span,) = find_cards(text)
    assert (span.begin, text[span.begin : span.end]) == (len(before) + 1, written)
    for longer in (f"{before} 7{written}, {after}", f"{before} {written}7, {after}"):
        assert written not in found(longer)
