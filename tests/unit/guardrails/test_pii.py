"""Personal data that is no number of an office: addresses, accounts, phones, dates; and what holds for all finders."""

import random
from itertools import pairwise

import phonenumbers
import pytest
from broker.guardrails.cards import find_cards
from broker.guardrails.pii import find_pii
from hypothesis import given
from hypothesis import strategies as st

FOUND = {
    "email": [
        "jane.doe+tag@example.co.uk",
        "o'brien@example.com",
        '"jane doe"@example.com',
        "x@müller.de",
        "имя@пример.рф",
        "root@[192.0.2.1]",
        "a_b-c@mail.my_shop.example.com",
    ],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "FR14 2004 1010 0505 0001 3M02 606",
        "MT84MALT011000012345MTLCAST001S",
        "NO93-8601-1117-947",
        "nl91abna0417164300",
    ],
    "phone": [
        "+49 171 1234567",
        "+442079460958",
        "+44 (0) 20 7946 0958",
        "+1 212-555-0123",
        "(212) 555-0123",
        "212-555-0123",
        "0049 171 1234567",
        "01 42 68 53 00",
    ],
    "ip_address": ["8.8.4.4", "203.0.113.7", "2001:db8:85a3::8a2e:370:7334", "c989:63bc:b258:6757:7420:6df6:7661:6d9d"],
    "mac_address": ["00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7"],
    "bitcoin_address": ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
    "ethereum_address": ["0x52908400098527886E0F7030069857D2E4169EE7"],
}

NEAR = {
    "phone": ["Telefon: {030 901820}", "call me on {020 7946 0958}", "tél. {01 42 68 53 00}", "手机 {13812345678}"],
    "bic": ["SWIFT: {DEUTDEFF}", "BIC {COBADEFFXXX}", "Our SWIFT/BIC code is {NEDSZAJJ}"],
    "passport": [
        "passport number is {AB1234567}",
        "Reisepass Nr. {C01X00T47}",
        "паспорт {45 08 123456}",
        "여권 번호: {M12345678}",
    ],
    "date_of_birth": [
        "born on {July 22, 1914}",
        "Geburtsdatum: {01.02.1980}",
        "née le {3 mars 1975}",
        "fecha de nacimiento {12/03/1985}",
        "DOB: {1981-03-15}",
        "生年月日 {1990年4月1日}",
        "geboren am {1. März 1980}",
        '"date_of_birth": "{1990-12-31}"',
    ],
    "driver_license": ["driver's license number {D1234567}", "Führerschein {B072RRE2I55}"],
    "licence_plate": ["Kennzeichen {B-MA 1234}", "license plate {7ABC123}", "kenteken {XX-123-X}"],
    "bank_account": ["Account number: {1234567891}", "Kontonummer {0532013000}"],
}


def found(text: str) -> list[tuple[str, str]]:
    return [(text[span.begin : span.end], span.kind) for span in find_pii(text)]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FOUND.items() for value in values])
def test_what_tells_itself(kind: str, value: str) -> None:
    for text in (f"It is {value}.", f"({value})", f"{value}, and more", f"[{value}]", f"Wert:\n{value}\nEnde"):
        assert found(text) == [(value, kind)]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NEAR.items() for text in texts])
def test_what_a_word_before_it_tells(kind: str, text: str) -> None:
    value = text[text.index("{") + 1 : text.index("}")]
    plain = text.replace("{", "").replace("}", "")
    assert found(f"{plain}, thanks") == [(value, kind)]
    if kind not in ("phone", "bic"):
        assert found(f"We saw {value} there") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "someone@",
        "@decorator.wraps",
        "git@github.com:owner/repository.git",
        "logo@2x.png",
        "user@localhost",
        "a..b@example",
        "DE88 3704 0044 0532 0130 00",
        "DE8937040044053201300",
        "XX82WEST12345698765432",
        "XDE89370400440532013000",
        "+49 12",
        "x + 4917112345678 * y",
        "call 250000 people",
        "127.0.0.1",
        "version 1.2.3.4",
        "10.0.0.0/8",
        "256.1.1.1",
        "1.2.3.4.5",
        "12:30:45",
        "std::vector<int>::size",
        "a::b",
        "00:1B:44:11:3A:B7:00:11",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "born to run in 1975",
        "the meeting on 2024-11-18",
        "s3://inbox-4222222222222/in/8501011234567/file.json",
        "job_01JD3T5XK8Z9Q7W6V5B4N3M2A1",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "1731931200008",
        "$1,234,567.89 and 1.234.567,89 €",
    ],
)
def test_what_is_nobodys(text: str) -> None:
    assert found(text) == []


EXAMPLES = [
    phonenumbers.format_number(number, form)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number(region))
    for form in (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
]


@pytest.mark.parametrize("number", EXAMPLES)
def test_a_phone_of_every_country(number: str) -> None:
    assert found(f"Please reach us: {number}, thanks.") == [(number, "phone")]


def test_the_characters_of_other_scripts_are_read() -> None:
    assert found("\uff0b\uff14\uff19 171 1234567") == [("\uff0b\uff14\uff19 171 1234567", "phone")]
    assert found("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000")[0][1] == "iban"
    assert found("메일은 support@bank.com로") == [("support@bank.com", "email")]


VALUES = st.lists(st.sampled_from([value for values in FOUND.values() for value in values]), max_size=6)
BETWEEN = st.sampled_from([", ", "; ", "\n", " and ", " | "])


@given(VALUES, BETWEEN)
def test_all_in_one_text_are_found_once_and_apart(values: list[str], between: str) -> None:
    text = "We have: " + between.join(values) + between
    spans = list(find_pii(text))
    assert [text[span.begin : span.end] for span in spans] == values
    assert all(before.end <= after.begin for before, after in pairwise(spans))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for find in (find_pii, find_cards):
        spans = list(find(text))
        assert all(0 <= span.begin < span.end <= len(text) and 0 < span.score <= 1 for span in spans)
        assert all(before.end <= after.begin for before, after in pairwise(spans))


@given(st.text(alphabet="0123456789+-. ()@:/AXaxDE\n", max_size=200))
def test_any_digits_are_read(text: str) -> None:
    test_any_text_is_read.hypothesis.inner_test(text)  # type: ignore[attr-defined]


ROWS = random.Random(1)
HOSTILE = {
    "4 ": "4 " * 100_000,
    "4": "4" * 300_000,
    "a": "a" * 300_000,
    "@": "@" * 100_000,
    "a@": "a@" * 100_000,
    "+4": "+4" * 100_000,
    "1.": "1." * 100_000,
    "a:": "a:" * 100_000,
    "DE99 ": "DE99 " * 50_000,
    "born ": "born " * 50_000,
    "tel 1": "tel 1 " * 50_000,
    '"': '"' * 200_000,
    "groups": " ".join(f"{ROWS.randrange(10_000):04}" for _ in range(40_000)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_come_to_an_end(text: str) -> None:
    assert len(list(find_pii(text))) + len(list(find_cards(text))) < 100
