"""Labels (`production`, `staging`, the operators' own): which versions they stand for, and in which shares.

Stored in the table `registry` as one item for each prompt: pk `PROMPT#id`, sk `LABELS`, `labels` as
`{label: [{"version", "weight"}]}`. `registry.label_entry` writes it.
"""

import hashlib
from collections.abc import Sequence

Arm = dict[str, int]
"""`{"version", "weight"}`."""

PRODUCTION = "production"
"""What a request gets that names neither version nor label, where the prompt has it."""

LABELS = "LABELS"


def choose(prompt_id: str, label: str, arms: Sequence[Arm], key: str) -> int:
    """The version of one arm. The same key always gets the same one; many keys divide by the weights.

    A change of weights moves only the keys between the old and the new bounds.
    """
    digest = hashlib.sha256(f"{prompt_id}\n{label}\n{key}".encode()).digest()
    point = int.from_bytes(digest[:8]) * sum(arm["weight"] for arm in arms) >> 64
    for arm in sorted(arms, key=lambda arm: arm["version"]):
        point -= arm["weight"]
        if point < 0:
            return arm["version"]
    raise ValueError("weights are positive")
