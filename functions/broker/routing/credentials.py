"""Several keys behind one model: a pool, of which each has a share, limits and a circuit of its own.

A request keeps to its key as a conversation does to its model: what tells one key from another is what the request has
in common with others, so providers' prompt caches, which go by account, find what they kept. A key that the provider
rejects, or asks for a pause, is not the model's failure: another is asked, and the circuit of that key alone is told.

A key with limits costs one write of each call: its requests and tokens of a minute are counted (table `ledger`, pk
`KEYS#model/key`, sk the minute). One without costs nothing, but for its circuit (`breakers`).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from broker.storage import Database, Update

MINUTE_MS = 60_000
KEPT_S = 3_600
"""Counts are deleted an hour after their last write."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One key of a model's pool."""

    name: str
    """What it is called where it is told of."""
    secret: str
    """Its name in Secrets Manager, below the stack's prefix."""
    weight: int = 100
    """Its share of the requests; 0 for none."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read the stored form."""
        return cls(**stored)


def circuit_of(model_id: str, credential: Credential) -> str:
    """The name of a key's circuit; ids of models have no slash."""
    return f"{model_id}/{credential.name}"


def in_order(pool: tuple[Credential, ...], affinity: str) -> list[Credential]:
    """Those that have a share, in the order in which they are tried.

    Each text orders all keys by itself, in proportion to their weights, so a key that comes or goes moves no more
    requests than it must (weighted rendezvous hashing, as in `routing.ordering`).
    """

    def place(credential: Credential) -> float:
        digest = hashlib.blake2b(f"{affinity}|{credential.name}".encode(), digest_size=8).digest()
        return -math.log((int.from_bytes(digest) + 1) / (2**64 + 1)) / credential.weight

    return sorted((each for each in pool if each.weight), key=place)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Counts what each key is asked for."""

    database: Database

    def take(self, model_id: str, credential: Credential, tokens: int, now: int) -> float | None:
        """Count a call of so many tokens; None where the key may be asked for it.

        Returns:
            Else the seconds until the next minute begins. The call is counted all the same.
        """
        requests, most = credential.requests_per_minute, credential.tokens_per_minute
        if requests is None and most is None:
            return None
        pk, minute = f"KEYS#{circuit_of(model_id, credential)}", now // MINUTE_MS
        kept = {"expires_at": now // 1000 + KEPT_S}
        add = {"requests": 1, "tokens": tokens}
        after = self.database.update(Update("ledger", pk, f"{minute:012}", set=kept, add=add))
        over = (requests is not None and after["requests"] > requests) or (
            # What is larger than all of a minute's tokens is let through where it comes first: it never fits better.
            most is not None and after["tokens"] > most and after["requests"] > 1
        )
        return ((minute + 1) * MINUTE_MS - now) / 1000 if over else None
