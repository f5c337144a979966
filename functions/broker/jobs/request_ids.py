"""Providers' ids of requests, as a job's head has room for them.

Most are 128 bits in hexadecimal digits, which are a third shorter by the characters of base64 (RFC 4648, section 5).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

LONGEST = 64
"""Characters; a longer one is not kept, nor one with what cannot be seen: a terminal that shows it might obey it."""

_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})", re.ASCII)
_HEX = re.compile(r"req_([0-9a-f]{32})", re.ASCII)
OF_UUID, OF_HEX = "~", "="
"""What a packed one begins with, and none that is kept as it is."""


def packed(request_id: str) -> str | None:
    """An id as it is kept; None for one that is not."""
    for mark, form in ((OF_UUID, _UUID), (OF_HEX, _HEX)):
        if found := form.fullmatch(request_id):
            return mark + urlsafe_b64encode(bytes.fromhex("".join(found.groups()))).decode().rstrip("=")
    is_shown = 0 < len(request_id) <= LONGEST and request_id.isascii() and request_id.isprintable()
    return request_id if is_shown and request_id[0] not in (OF_UUID, OF_HEX) else None


def unpacked(kept: str) -> str:
    """The id that was kept so."""
    if kept[0] not in (OF_UUID, OF_HEX):
        return kept
    digits = urlsafe_b64decode(kept[1:] + "==").hex()
    if kept[0] == OF_HEX:
        return f"req_{digits}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
