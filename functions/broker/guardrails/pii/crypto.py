"""Addresses of wallets: Bitcoin (Base58Check and Bech32) and Ethereum."""

import re
from collections.abc import Iterator

from broker.guardrails.spans import Span

ETHEREUM = re.compile(r"0x[0-9a-fA-F]{40}(?![0-9A-Za-z_])")
BITCOIN = re.compile(
    r"(?<![0-9A-Za-z_/+=-])(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?![0-9A-Za-z_/+=-])"
)


def find_wallets(text: str) -> Iterator[Span]:
    """The addresses in a text, those of one network after those of another."""
    for found in ETHEREUM.finditer(text) if "0x" in text else ():
        if not text[found.start() - 1 : found.start()].isalnum():
            yield Span(*found.span(), "ethereum_address")
    for found in BITCOIN.finditer(text):
        from stdnum import bitcoin

        if bitcoin.is_valid(found.group()):
            yield Span(*found.span(), "bitcoin_address")
