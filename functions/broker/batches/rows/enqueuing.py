"""How many tokens the rows of a tenant's batches may have that have not ended: a bucket of the ledger that counts them.

A batch holds its tokens in the commit that has it planned, and the one that ends it gives them back (`batches.store`),
whatever ended it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from broker.batches.batch import Batch
from broker.batches.store import Batches
from broker.errors import Conflict, TooManyAtOnce
from broker.storage import Contended
from broker.tenants.ledger import OPEN, bucket_of, hold, open_period
from broker.tenants.slices import read_all

BYTES_A_TOKEN = 4
"""Of the rows as they are read. Their models' tokenizers are not asked: there may be a million rows."""

TRIES = 10


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Counts the tokens of batches that are planned."""

    batches: Batches
    most: Callable[[str, int], int | None] = lambda tenant, now: None
    """Of a tenant, at a moment; None for any number."""

    def __call__(self, batch: Batch, size: int, decide: Callable[[Batch], Batch], now: int) -> Batch:
        """Have a batch planned whose rows have so many bytes; where it is planned already, nothing is held.

        Raises:
            TooManyAtOnce: its tenant's batches would have more tokens than they may.
            Contended: others were at it all the time.
        """
        most = self.most(batch.tenant, now)
        if most is None:
            return self.batches.change(batch.id, decide)[1]
        scope, tokens = f"{batch.tenant}:tokens", -(-size // BYTES_A_TOKEN)
        bucket = bucket_of(scope, OPEN)
        open_period(self.batches.database, scope, OPEN, most)

        def holding(before: Batch) -> Batch:
            after = decide(before)
            if after == before:
                return before
            return replace(after, holds={bucket: before.holds.get(bucket, 0) + tokens})

        for _ in range(TRIES):
            try:
                return self.batches.change(batch.id, holding, hold(bucket, tokens))[1]
            except Conflict:
                left = max(0, read_all(self.batches.database, bucket).available)
                if left < tokens:
                    message = (
                        f"The tenant's batches may have {most:,} tokens that have not ended; {left:,} are left, "
                        f"and this one has {tokens:,}: one for each {BYTES_A_TOKEN} bytes of its rows."
                    )
                    raise TooManyAtOnce(message, code="token_limit_exceeded") from None
        raise Contended(())
