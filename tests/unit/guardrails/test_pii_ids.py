"""Numbers of persons and companies: each kind is found with its word, few without, and none in anything longer."""

from typing import Any

import pytest
from broker.guardrails.pii import find_pii

from tests.unit.guardrails.personal import kinds, values

BY_HAND = {
    "mx_curp": "BOXW310820HNERXN09",
    "cn_resident_id": "11010519491231002X",
    "it_codice_fiscale": "RSS MRA 85T10 A562S",
    "fr_nir": "1 84 12 76 451 089 46",
    "uy_rut": "21-100342-001-7",
    "vat": "NL004495445B01",
    "imsi": "429011234567890",
    "gh_tin": "C0000803561",
}
"""What chance does not find: examples from the issuers' own pages."""


def found(text: str) -> list[tuple[str, str]]:
    return [(text[span.begin : span.end], span.kind) for span in find_pii(text)]


def word_of(kind: str) -> str:
    words: list[str] = next(entry["words"] for entry in kinds() if entry["kind"] == kind)
    return words[0].strip("*")


@pytest.mark.parametrize("entry", kinds(), ids=lambda entry: f"{entry['kind']}-{entry['check']}")
def test_each_kind_is_found_by_its_form_and_its_word(entry: dict[str, Any]) -> None:
    for value, alone in values(entry):
        for word in [word.strip("*") for word in entry["words"][:3]]:
            for before, after in (
                (f"My {word}: ", ", thanks."),
                (f"The {word} of Mr Smith is ", "."),
                (f'{word}="', '"'),
            ):
                assert [text for text, _ in found(f"{before}{value}{after}")] == [value]
        if alone:
            assert [text for text, _ in found(f"We have {value} here.")] == [value]


@pytest.mark.parametrize("entry", kinds(), ids=lambda entry: f"{entry['kind']}-{entry['check']}")
def test_a_sign_more_makes_it_something_longer(entry: dict[str, Any]) -> None:
    for value, _ in values(entry)[::4]:
        for longer in (
            f"X7{value}",
            f"{value}7X",
            f"a_{value}",
            f"{value}_a",
            f"a-{value}",
            f"b/{value}",
            f"{value}-a",
        ):
            assert value not in [text for text, _ in found(f"We have {longer} here.")]


@pytest.mark.parametrize(("kind", "value"), BY_HAND.items())
def test_numbers_made_by_their_issuers(kind: str, value: str) -> None:
    assert found(f"{word_of(kind)}: {value}.") == [(value, kind)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Meine Steuer-ID lautet 86095742719.", "de_tax_id"),
        ("Mi DNI es 12345678Z.", "es_dni"),
        ("Il mio codice fiscale è RSSMRA85T10A562S.", "it_codice_fiscale"),
        ("Mijn BSN is 111222333.", "nl_bsn"),
        ("O meu NIF é 501964843.", "pt_nif"),
        ("Meu CPF: 529.982.247-25", "br_cpf"),
        ("Numer PESEL: 44051401359", "pl_pesel"),
        ("Mitt personnummer är 811228-9874", "se_personnummer"),
        ("我的身份证号码是11010519491231002X", "cn_resident_id"),
        ("주민등록번호 971013-9019902", "kr_rrn"),
        ("NHS number 943 476 5919", "gb_nhs"),
        ("NI number AB 12 34 56 C", "gb_nino"),
        ("PPSN 6433435F", "ie_pps"),
        ("AHV-Nr. 756.9217.0769.85", "ch_ahv"),
        ("VIN 1HGCM82633A004352", "vin"),
    ],
)
def test_in_many_languages(text: str, kind: str) -> None:
    assert [each for _, each in found(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "46095742719",
        "The build took 44051401359 cycles.",
        "943 476 5919",
        "SSN 000-12-3456",
        "SSN 1-123-45-6780-2",
        "SSN 123456789",  # nobody's
        "CPF 111.111.111-11",
        "CPF 529.982.247-24",
        "commit 3f2a12345678Z99",
        "job_12345678Z",
        "part-12345678Z-b",
        "https://x.example/12345678Z/y",
        "12345678Z.pdf",
        "between 2019-2020 and 10-12-2021",
        "at 1731931200008 and 2024-11-18T12:00:00.123456789Z",
        " ".join(f"{number:04} {number:04} {number:04}" for number in range(2000, 2400)),
        "4111 1111 1111 1111",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "9 99 99 99 999 999 99",
        "£12.345.678-90 a year",
    ],
)
def test_ordinary_numbers_are_let_pass(text: str) -> None:
    assert found(text) == []
