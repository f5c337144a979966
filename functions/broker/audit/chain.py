"""Blocks of records, each of which names the one before it by its hash, and what is wrong with such a chain.

A block is lines of JSON: first its header, then its records. Its digest is the SHA-256 of these bytes; it is kept
compressed, and how it was compressed does not matter.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from broker.audit.record import Record

PREFIX = "blocks/"
FORM = re.compile(PREFIX + r"([0-9]{12})\.jsonl\.gz", re.ASCII)
NOTHING = "0" * 64
"""What the first block names."""

MOST_BYTES = 64 * 1024 * 1024
"""Of one block, uncompressed: what claims to be more is not read."""

GZIP = 31
"""zlib's window for gzip's own form."""

DAY_MS = 86_400_000


def key_of(number: int) -> str:
    """Where a block lies."""
    return f"{PREFIX}{number:012}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last block of a chain, as it is known beside the blocks themselves."""

    chain: str
    number: int = 0
    digest: str = NOTHING
    at: int = 0
    """Milliseconds."""


class Unreadable(Exception):
    """Bytes that are no block."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block; times are milliseconds."""

    chain: str
    number: int
    previous: str
    """The digest of the block before."""
    since: int
    """When that was written, so that its end by age can be told from its loss."""
    at: int
    """When this one was written."""
    records: tuple[Record, ...]
    digest: str

    @property
    def anchor(self) -> Anchor:
        """The chain's end, where this block is the last."""
        return Anchor(self.chain, self.number, self.digest, self.at)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the stored form.

        Raises:
            Unreadable: it is none.
        """
        try:
            unpacker = zlib.decompressobj(GZIP)
            text = unpacker.decompress(data, MOST_BYTES)
            if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
                raise Unreadable
            header, *records = [json.loads(line) for line in text.split(b"\n")]
            names = ("chain", "number", "previous", "since", "at")
            facts = {name: header[name] for name in names}
            made = cls(**facts, records=tuple(records), digest=hashlib.sha256(text).hexdigest())
        except (zlib.error, ValueError, LookupError, TypeError, RecursionError):
            raise Unreadable from None
        whole = all(isinstance(each, int) for each in (made.number, made.since, made.at))
        if not whole or not all(isinstance(each, dict) for each in records) or header.get("count") != len(records):
            raise Unreadable
        return made


def link(end: Anchor, records: Sequence[Record], now: int) -> tuple[Block, bytes]:
    """The block that comes after a chain's end, and its stored form. No block is older than the one before it."""
    at = max(now, end.at)
    header: dict[str, Any] = {"chain": end.chain, "number": end.number + 1, "previous": end.digest}
    header |= {"since": end.at, "at": at, "count": len(records)}
    text = "\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in [header, *records])
    data = text.encode(errors="backslashreplace")
    digest = hashlib.sha256(data).hexdigest()
    packer = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    block = Block(end.chain, end.number + 1, end.digest, end.at, at, tuple(records), digest)
    return block, packer.compress(data) + packer.flush()


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies in the bucket under one key."""

    key: str
    data: bytes
    """Of its oldest version."""
    versions: int = 1
    """How often it was written, with what only hides it (delete markers); a block is written once."""


What = Literal["missing", "altered", "reordered", "forged", "overwritten"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain breaks."""

    what: What
    number: int
    """Of the block."""
    why: str


def verify(
    found: Iterable[Stored], anchor: Anchor, now: int, kept_days: int, given: Anchor | None = None
) -> list[Fault]:
    """Walk a chain and say all that is wrong with it; nothing where it is whole.

    Args:
        found: all objects of the bucket, in the order of their keys.
        anchor: the chain's end, as it is known beside the blocks.
        now: milliseconds.
        kept_days: blocks that are older may be gone from the beginning.
        given: an end that was written down elsewhere some time ago: its block must still be that one.
    """
    return list(_faults(found, anchor, now - kept_days * DAY_MS, given))


def _faults(found: Iterable[Stored], anchor: Anchor, over: int, given: Anchor | None) -> Iterator[Fault]:
    last: Block | None = None
    number = 0  # of the last one that was there, readable or not
    for stored in found:
        named = FORM.fullmatch(stored.key)
        if named is None:
            yield Fault("forged", number, f"{stored.key!r} is no block of this chain")
            continue
        before, number = number, int(named[1])
        try:
            block = Block.read(stored.data)
        except Unreadable:
            if number > before + 1:
                yield from _gap(before, number, None, over)
            yield Fault("altered", number, "it cannot be read")
            last = None
            continue
        if stored.versions > 1 and block.at > over:  # the bucket's rule hides what is over before it deletes it
            yield Fault("overwritten", number, f"it was written or deleted {stored.versions - 1} times more")
        if number > before + 1:
            yield from _gap(before, number, block, over)
            last = None
        if block.number != number:
            yield Fault("reordered", number, f"it is block {block.number}")
        elif block.chain != anchor.chain:
            yield Fault("forged", number, f"it is of another chain, {str(block.chain)[:64]!r}")
        elif number == 1 and block.previous != NOTHING:
            yield Fault("altered", number, "it is the first, and names one before it")
        elif last is not None and block.previous != last.digest:
            yield Fault("altered", last.number, f"it is not what block {number} names; one of the two was changed")
        elif last is not None and (block.since, block.at >= last.at) != (last.at, True):
            yield Fault("altered", number, "its times do not follow those of the block before")
        if given is not None and number == given.number and block.digest != given.digest:
            yield Fault("altered", number, "it is not the block that was written down")
        last = block
    if number or anchor.at > over:
        yield from _end(number, last, anchor)


def _gap(before: int, number: int, block: Block | None, over: int) -> Iterator[Fault]:
    """Blocks that are not there: at the beginning, they may be over."""
    if before == 0 and block is not None and block.number == number and block.since <= over:
        return
    which = f"{before + 1}" if number == before + 2 else f"{before + 1} to {number - 1}"
    yield Fault("missing", before + 1, f"not there: {which}")


def _end(number: int, last: Block | None, anchor: Anchor) -> Iterator[Fault]:
    """Hold the last block against the end that is known; a writer may have died, or be, one block ahead of it."""
    if number < anchor.number:
        yield Fault("missing", number + 1, f"the chain ends with block {anchor.number}, and not with {number}")
    elif number > anchor.number + 1:
        yield Fault("forged", anchor.number + 2, f"the chain ends with block {anchor.number}, and not with {number}")
    elif last is not None and number == anchor.number and last.digest != anchor.digest:
        yield Fault("altered", number, "it is not the end that is known of the chain")
    elif last is not None and number == anchor.number + 1 and last.previous != anchor.digest:
        yield Fault("forged", number, "it does not follow the end that is known of the chain")
