"""Checks of numbers that the library does not know: each takes the number without separators, in capitals."""

import re
from datetime import date

from broker.guardrails.numbers import luhn
from broker.guardrails.patterns import pattern

NINO = pattern(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")
MBI = pattern(
    r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}"
)


def _digits(number: str) -> list[int]:
    return [int(sign, 36) for sign in number]


def _weighted(number: str, weights: tuple[int, ...]) -> int:
    return sum(weight * digit for weight, digit in zip(weights, _digits(number), strict=False))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def npi(number: str) -> bool:
    """US National Provider Identifier: the check digit of a card number that begins with 80840 (45 CFR 162.406)."""
    return number[0] in "12" and luhn("80840" + number)


def dea(number: str) -> bool:
    """Registration of the US Drug Enforcement Administration: digits 1, 3, 5 and twice 2, 4, 6 end in digit 7."""
    digits = number[-7:]
    if number[0] not in "ABCDEFGHJKLMPRSTUX" or not digits.isdigit():
        return False
    return (sum(map(int, digits[0:6:2])) + 2 * sum(map(int, digits[1:6:2]))) % 10 == int(digits[6])


def mbi(number: str) -> bool:
    """US Medicare Beneficiary Identifier: the form alone, there is no check digit."""
    return MBI.fullmatch(number) is not None


def clabe(number: str) -> bool:
    """Mexican bank account: weights 3, 7, 1, each product by 10."""
    total = sum(int(digit) * weight % 10 for digit, weight in zip(number[:17], (3, 7, 1) * 6, strict=False))
    return -total % 10 == int(number[17])


def uy_ci(number: str) -> bool:
    """Uruguayan identity card."""
    return -_weighted(number[:-1].rjust(7, "0"), (2, 9, 8, 7, 6, 3, 4)) % 10 == int(number[-1])


def nino(number: str) -> bool:
    """British National Insurance number: the prefixes and suffixes that are given out (HMRC, NIM39110)."""
    return NINO.fullmatch(number) is not None


def de_id_card(number: str) -> bool:
    """German identity card with its check digit: weights 7, 3, 1 (ICAO 9303)."""
    if not re.fullmatch(r"[LMNPRTVWXY][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]", number):
        return False
    return _weighted(number[:9], (7, 3, 1) * 3) % 10 == int(number[9])


def de_vsnr(number: str) -> bool:
    """German pension insurance: area, date of birth, initial, serial, check digit (SGB VI, VKVV §4)."""
    day, month = int(number[2:4]), int(number[4:6])
    if not (1 <= day % 50 <= 31 and 1 <= month <= 12) or not number[8].isalpha():
        return False
    digits = number[:8] + f"{ord(number[8]) - 64:02}" + number[9:11]
    products = [int(digit) * weight for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)]
    return sum(product // 10 + product % 10 for product in products) % 10 == int(number[11])


def kvnr(number: str) -> bool:
    """German health insurance: the letter as two digits, then Luhn's with the first not doubled (§290 SGB V)."""
    digits = f"{ord(number[0]) - 64:02}" + number[1:9]
    products = [int(digit) * weight for digit, weight in zip(digits, (1, 2) * 5, strict=True)]
    return sum(product // 10 + product % 10 for product in products) % 10 == int(number[9])


def nuss(number: str) -> bool:
    """Spanish social security: province and serial by 97."""
    province, serial = number[:2], number[2:10]
    whole = int(province) * 10_000_000 + int(serial) if int(serial) < 10_000_000 else int(province + serial)
    return whole % 97 == int(number[10:])


def niss(number: str) -> bool:
    """Portuguese social security."""
    return number[0] in "12" and 9 - _weighted(number[:10], (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)) % 10 == int(
        number[10]
    )


def pl_id_card(number: str) -> bool:
    """Polish identity card."""
    return _weighted(number, (7, 3, 1, 9, 7, 3, 1, 7, 3)) % 10 == 0


def hu_tax_id(number: str) -> bool:
    """Hungarian tax number of a person."""
    return number[0] == "8" and _weighted(number[:9], tuple(range(1, 10))) % 11 == int(number[9])


def hu_tax_number(number: str) -> bool:
    """Hungarian tax number of a company; the last three digits say how and where it is taxed."""
    return -_weighted(number[:7], (9, 7, 3, 1, 9, 7, 3)) % 10 == int(number[7]) and number[8] in "12345"


def hu_taj(number: str) -> bool:
    """Hungarian health insurance."""
    return _weighted(number[:8], (3, 7) * 4) % 10 == int(number[8])


def snils(number: str) -> bool:
    """Russian pension insurance: weights 9 to 1, by 101."""
    return _weighted(number[:9], tuple(range(9, 0, -1))) % 101 % 100 == int(number[9:])


def kz_iin(number: str) -> bool:
    """Kazakh individual number."""
    total = _weighted(number[:11], tuple(range(1, 12))) % 11
    if total == 10:
        total = _weighted(number[:11], (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return total == int(number[11]) and 1 <= int(number[2:4]) <= 12


def eg_national_id(number: str) -> bool:
    """Egyptian national number: century, date of birth, governorate; its check digit is not published."""
    return number[0] in "23" and _is_date(
        1700 + 100 * int(number[0]) + int(number[1:3]), int(number[3:5]), int(number[5:7])
    )


def lk_nic(number: str) -> bool:
    """Sri Lankan identity card, both forms: the day of the year, 500 more for women."""
    day = int(number[2:5]) if number[-1] in "VX" else int(number[4:7])
    return 1 <= day % 500 <= 366 and (number[-1] in "VX" or number[:2] in ("19", "20"))


def tw_national_id(number: str) -> bool:
    """Taiwanese identity card or residence permit."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    return (
        number[1] in "1289"
        and (code // 10 + code % 10 * 9 + _weighted(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0
    )


def nric(number: str) -> bool:
    """Singaporean identity card or work permit."""
    tables = {
        "S": (0, "JZIHGFEDCBA"),
        "T": (4, "JZIHGFEDCBA"),
        "F": (0, "XWUTRQPNMLK"),
        "G": (4, "XWUTRQPNMLK"),
        "M": (3, "XWUTRQPNJLK"),
    }
    if number[0] not in tables:
        return False
    offset, letters = tables[number[0]]
    rest = (_weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + offset) % 11
    return letters[10 - rest if number[0] == "M" else rest] == number[8]


def hkid(number: str) -> bool:
    """Hong Kong identity card."""
    signs = number.rjust(9)
    values = [36 if sign == " " else int(sign, 36) for sign in signs[:8]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    check = 10 if signs[8] == "A" else int(signs[8], 36)
    return signs[7].isdigit() and (total + check) % 11 == 0


def au_medicare(number: str) -> bool:
    """Australian Medicare card."""
    return number[0] in "23456" and _weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def nhi(number: str) -> bool:
    """New Zealand health index, the form with a digit (mod 11) and the newer one with a letter (mod 24)."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    if not set(number[:3]) <= set(letters) or not set(number[5:]) <= set(letters + "0123456789"):
        return False
    values = [letters.index(sign) + 1 if sign.isalpha() else int(sign) for sign in number[:6]]
    total = sum(value * weight for value, weight in zip(values, range(7, 1, -1), strict=True))
    if number[6].isdigit():
        return total % 11 != 0 and (11 - total % 11) % 10 == int(number[6])
    return letters[24 - total % 24 - 1] == number[6]


COUNTRIES = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW".split()
)
"""ISO 3166-1, and Kosovo's code."""


def bic(number: str) -> bool:
    """Code of a bank (ISO 9362): four letters, a country, a place, perhaps a branch."""
    return re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", number) is not None and number[4:6] in COUNTRIES


VIN = pattern(
    r"(?=(?:.*[0-9]){4})(?=(?:.*[A-Z]){3})[A-HJ-NPR-Z1-9][A-HJ-NPR-Z0-9]{7}[0-9X][A-HJ-NPR-TV-Y1-9][A-HJ-NPR-Z0-9]{3}[0-9]{4}"
)
TRANSLITERATED = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))


def vin(number: str) -> bool:
    """Vehicle identification number with the check digit of North America and China (49 CFR 565)."""
    if not VIN.fullmatch(number):
        return False
    values = [int(TRANSLITERATED.get(sign, sign)) for sign in number[:8] + "0" + number[9:]]
    total = sum(
        value * weight
        for value, weight in zip(values, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2), strict=True)
    )
    return "0123456789X"[total % 11] == number[8]
