"""Labels (`production`, `staging`, the operators' own): which versions they stand for, and in which shares.

Stored in the table `registry` as one item for each prompt: pk `PROMPT#id`, sk `LABELS`, `labels` as
`{label: [{"version", "weight"}]}`, `revision`, and who changed it when; each revision is also kept as `LABELS#0001`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from broker.errors import Conflict, InvalidRequest, NotFound
from broker.storage import ConditionFailed, Database, If, Put

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
    mark = int.from_bytes(digest[:8]) * sum(arm["weight"] for arm in arms) >> 64
    for arm in sorted(arms, key=lambda arm: arm["version"]):
        mark -= arm["weight"]
        if mark < 0:
            return arm["version"]
    raise ValueError("weights are positive")


def set_label(
    database: Database, prompt_id: str, label: str, arms: Sequence[Arm], *, by: str, now: int
) -> dict[str, Any]:
    """Point a label to versions; an empty list takes it away. The operators' use case.

    Returns:
        All labels of the prompt: `{"id", "labels", "revision"}`.

    Raises:
        NotFound: a version does not exist.
        InvalidRequest: weights or versions make no sense.
        Conflict: somebody else changed the labels at the same time.
    """
    versions = [arm.get("version") for arm in arms]
    if len(set(versions)) < len(versions):
        raise InvalidRequest("A version stands twice under the label.", code="invalid_label", param="arms")
    for place, arm in enumerate(arms):
        if arm.keys() != {"version", "weight"} or not all(type(each) is int and each > 0 for each in arm.values()):
            message = "An arm has a version and a weight, both whole numbers above zero."
            raise InvalidRequest(message, code="invalid_label", param=f"arms.{place}")
        if database.get("registry", f"PROMPT#{prompt_id}", f"V#{arm['version']:04}") is None:
            raise NotFound("There is no such version.", code="unknown_prompt", param=f"arms.{place}.version")
    before = database.get("registry", f"PROMPT#{prompt_id}", LABELS) or {"labels": {}, "revision": 0}
    labels = {name: kept for name, kept in before["labels"].items() if name != label}
    if arms:
        labels[label] = [dict(arm) for arm in arms]
    revision = before["revision"] + 1
    item = {"pk": f"PROMPT#{prompt_id}", "labels": labels, "revision": revision, "changed_by": by, "changed_at": now}
    unchanged = If("revision", "=", before["revision"]) if before["revision"] else If("pk", "absent")
    try:
        database.write(
            Put("registry", item | {"sk": LABELS}, (unchanged,)),
            Put("registry", item | {"sk": f"{LABELS}#{revision:04}"}),
        )
    except ConditionFailed:
        raise Conflict("The labels were changed by somebody else; read them again.") from None
    return {"id": prompt_id, "labels": labels, "revision": revision}
