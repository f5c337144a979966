"""The checksums that issuers publish."""

import binascii
import zlib
from collections.abc import Callable

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _crc32_base62(token: str) -> bool:
    """GitHub's and npm's: the last six are the CRC-32 of what stands between prefix and them, in base 62.

    Source: github.blog/engineering/behind-githubs-new-authentication-token-formats.
    """
    body = token.rpartition("_")[2]
    return _base62(zlib.crc32(body[:-6].encode())).rjust(6, "0") == body[-6:]


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits


def _crc32_hex(token: str) -> bool:
    """Grafana's service accounts: eight hex digits of the CRC-32 of all before the last `_`."""
    body, _, given = token.rpartition("_")
    return f"{zlib.crc32(body.encode()):08x}" == given


def _crc32_base36(token: str) -> bool:
    """GitLab's routable tokens: the last seven are the CRC-32 of all before them, in base 36."""
    return int(token[-7:], 36) == zlib.crc32(token[:-7].encode())


def _macaroon(token: str) -> bool:
    """PyPI's: base64 of a macaroon of version 2 whose location is pypi.org."""
    try:
        raw = binascii.a2b_base64(token.partition("-")[2].translate({45: 43, 95: 47}) + "==")
    except (binascii.Error, ValueError):
        return False
    return raw[:1] == b"\x02" and raw[3:11] == b"pypi.org"


def _account_base32(token: str) -> bool:
    """AWS key ids: what follows the four letters is base 32, which has no 0, 1, 8 and 9."""
    return not set("0189") & set(token[4:])


CHECKSUMS: dict[str, Callable[[str], bool]] = {
    "crc32_base62": _crc32_base62,
    "crc32_hex": _crc32_hex,
    "crc32_base36": _crc32_base36,
    "macaroon": _macaroon,
    "account_base32": _account_base32,
}
"""By the name that a row gives. A token that fails is still told, with a lower score: issuers change their sums."""
