"""Addresses of wallets: Bitcoin (Base58Check and Bech32) and Ethereum."""

from collections.abc import Iterator

from broker.guardrails.patterns import pattern
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

ETHEREUM = pattern(r"0x[0-9a-fA-F]{40}(?![0-9A-Za-z_])")
P2PKH = pattern(r"1[1-9A-HJ-NP-Za-km-z]{25,34}(?![0-9A-Za-z_/+=-])")
P2SH = pattern(r"3[1-9A-HJ-NP-Za-km-z]{25,34}(?![0-9A-Za-z_/+=-])")
BECH32 = pattern(r"bc1[02-9ac-hj-np-z]{11,71}(?![0-9A-Za-z_/+=-])")
WALLET = 15
"""Steps of a look at one."""
SIGN = pattern(r"[0-9A-Za-z_/+=-]")


def find_wallets(text: str, work: Work) -> Iterator[Span]:
    """The addresses in a text, those of one form after those of another."""
    for form, mark in ((ETHEREUM, "0x"), (P2PKH, "1"), (P2SH, "3"), (BECH32, "bc1")):
        for found in form.finditer(text) if mark in text else ():
            begin, end = found.span()
            if not work.take(WALLET):
                return
            if begin and SIGN.match(text, begin - 1) and text[begin - 1] != "=":
                continue
            if form is ETHEREUM:
                yield Span(begin, end, "ethereum_address")
            elif _bitcoin(found.group()):
                yield Span(begin, end, "bitcoin_address")


def _bitcoin(address: str) -> bool:
    from stdnum import bitcoin

    valid: bool = bitcoin.is_valid(address)
    return valid
