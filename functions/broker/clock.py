"""Time, ids and money in the forms that the whole broker uses."""

import hashlib
import os
import re
import time
from datetime import UTC, datetime

NANO = 1_000_000_000


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def iso(ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as in every public reply."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid7_hex(ms: int, chance: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 32 hex digits: ids sort by the time they were made.

    `chance` are ten bytes for what is random in it, of a digest where the same thing is to get the same id.
    """
    random = int.from_bytes(chance or os.urandom(10), "big")
    value = (ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return f"{value:032x}"


def new_id(kind: str, ms: int, name: str | None = None) -> str:
    """The kind and a UUIDv7; with a name, the same for the same name and time."""
    chance = None if name is None else hashlib.sha256(name.encode()).digest()[:10]
    return f"{kind}{uuid7_hex(ms, chance)}"


def new_job_id(ms: int, name: str | None = None) -> str:
    """`job_` and a UUIDv7; see `new_id`."""
    return new_id("job_", ms, name)


def retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` header: seconds or a date (RFC 9110, section 10.2.3); None for none."""
    if header is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,3})?\s*", header):
        return float(header)
    from email.utils import parsedate_to_datetime  # seldom needed, and slow to load

    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def usd(nano: int) -> float:
    """Nano-dollars as dollars, for replies."""
    return nano / NANO
