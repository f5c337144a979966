"""Long texts of prompts in memory."""

import random
from dataclasses import dataclass, field

from broker.errors import Unavailable


@dataclass(slots=True)
class FakeTexts:
    """See `broker.prompts.texts.Texts`. A test may look at what is kept, and at what was read."""

    kept: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def put(self, digest: str, packed: bytes) -> None:
        """See `Texts.put`."""
        self.kept[digest] = packed

    def get(self, digest: str, most: int) -> bytes:
        """See `Texts.get`."""
        self.reads.append(digest)
        if digest not in self.kept:
            raise Unavailable("There is no such text.", code="prompt_text_missing", retry_after=60)
        if len(self.kept[digest]) > most:
            raise Unavailable("The text is too large.", code="prompt_text_too_large", retry_after=60)
        return self.kept[digest]


def long_text(size: int, seed: int = 4) -> str:
    """Words of so many bytes together, which pack to a third of that."""
    chance, letters = random.Random(seed), "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(1_000)]
    return " ".join(chance.choices(words, k=size // 4))[:size]
