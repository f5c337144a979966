"""Writing: records become the next block of the chain.

Several may write at once. A block's key is its number, and S3 takes the first who writes there (`If-None-Match`); who
comes second finds out what was written, and goes on after it. The chain's end lies in the table `ledger`: pk
`AUDIT#CHAIN`, sk the bucket's name, so that a new bucket has a chain of its own. It is there before the first block,
with number 0, for it names the chain. Then it follows the blocks, so a writer that dies in between leaves it one block
behind, and the next writer moves it on.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from broker.audit.chain import Anchor, Block, Unreadable, link
from broker.audit.record import KEY_USED, KEY_USED_ELSEWHERE, Record
from broker.storage import ConditionFailed, Database, If, Item, Put

PK = "AUDIT#CHAIN"
TRIES = 20
"""Writers at once that one can come behind."""

PLACES_S = 400 * 86_400
"""How long a network is remembered from which a key was used."""


class Blocks(Protocol):
    """The bucket, which keeps what was once written."""

    @property
    def name(self) -> str:
        """Of the bucket."""
        ...

    def put(self, number: int, data: bytes) -> bool:
        """Write a block where there is none; False where there is one."""
        ...

    def get(self, number: int) -> bytes | None:
        """Read a block as it was first written; None where there is none."""
        ...


class ChainBroken(Exception):
    """The block after the chain's end is none of its own: nothing is written until an operator has looked."""


def end_of(database: Database, bucket: str, chain: str = "") -> Anchor:
    """The end of a bucket's chain; of one that is not begun yet, the beginning of `chain`."""
    item = database.get("ledger", PK, bucket)
    return Anchor(chain) if item is None else Anchor(item["chain"], item["number"], item["digest"], item["at"])


class Append:
    """Appends records."""

    def __init__(self, database: Database, blocks: Blocks, chain: str, unforeseen: Callable[[int], None]) -> None:
        """`chain` names one that begins; `unforeseen` is told of a block that breaks it, by its number."""
        self._database = database
        self._blocks = blocks
        self._chain = chain
        self._broken = unforeseen

    def __call__(self, records: Sequence[Record], now: int) -> Block | None:
        """Write them as one block; None where none of them is for the trail. Told again, they are written again.

        Raises:
            ChainBroken: the chain was tampered with at its end.
            Unavailable: others wrote at the same moment, at each try.
        """
        told, places = self._sorted(records, now)
        block = self._appended(told, now) if told else None
        for place in places:  # after the record: who dies before, tells of the place again
            self._database.write(Put("ledger", place))
        return block

    def _appended(self, records: Sequence[Record], now: int) -> Block:
        for _ in range(TRIES):
            end = self._end()
            block, data = link(end, records, now)
            if self._blocks.put(block.number, data):
                self._move(end, block)
                return block
            other = self._other(block)
            if other is None:
                continue
            self._move(end, other)
            if other.digest == block.digest:  # our own: only the answer to its first try was lost
                return block
        from broker.errors import Unavailable

        raise Unavailable("Others write the audit trail.", code="audit_contended", retry_after=1)

    def _end(self) -> Anchor:
        """The chain's end. Of several that begin one, the first names it for all."""
        end = end_of(self._database, self._blocks.name, self._chain)
        if end.number:
            return end
        begun: Item = {"pk": PK, "sk": self._blocks.name, "chain": end.chain, "number": 0}
        begun |= {"digest": end.digest, "at": end.at}
        try:
            self._database.write(Put("ledger", begun, when=(If("pk", "absent"),)))
        except ConditionFailed:
            return end_of(self._database, self._blocks.name, self._chain)
        return end

    def _other(self, ours: Block) -> Block | None:
        """The block that was written first; None while S3 still takes it, and refuses all others beside it."""
        data = self._blocks.get(ours.number)
        if data is None:
            return None
        try:
            other = Block.read(data)
        except Unreadable:
            other = None
        if other is None or (other.chain, other.number, other.previous) != (ours.chain, ours.number, ours.previous):
            self._broken(ours.number)
            raise ChainBroken(f"block {ours.number} is not of this chain")
        return other

    def _move(self, end: Anchor, block: Block) -> None:
        """Have the end be this block, unless somebody was faster."""
        made: Item = {"pk": PK, "sk": self._blocks.name, "chain": block.chain, "number": block.number}
        made |= {"digest": block.digest, "at": block.at}
        try:
            self._database.write(Put("ledger", made, when=(If("number", "=", end.number),)))
        except ConditionFailed:
            return

    def _sorted(self, records: Sequence[Record], now: int) -> tuple[list[Record], list[Item]]:
        """What is for the trail, and the places of keys that are new."""
        told: list[Record] = []
        new: dict[tuple[str, str], Item] = {}
        for each in records:
            if each.get("kind") != KEY_USED:
                told.append(each)
                continue
            pk, sk = f"AUDIT#KEY#{each.get('key')}", str(each.get("place"))
            if (pk, sk) not in new and self._database.get("ledger", pk, sk) is None:
                new[pk, sk] = {"pk": pk, "sk": sk, "at": now, "expires_at": now // 1000 + PLACES_S}
                told.append({**each, "kind": KEY_USED_ELSEWHERE})
        return told, list(new.values())
