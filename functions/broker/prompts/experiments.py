"""What came of a prompt's versions: counters by arm, and the comparison of them.

Table `ledger`, pk `PROMPT#id`, sk `version#label#shard`: `jobs`, `succeeded`, `failed`, `blocked`, `other`, `nusd`,
`input_tokens`, `output_tokens`, `milliseconds`. Counters are added to without a condition, in the commit that ends a
job, and over eight items for each arm, for a popular prompt ends many jobs a second.
"""

import zlib
from collections.abc import Mapping
from typing import Any, Protocol

from broker.storage import Database, Update

SHARDS = 8

COUNTED = ("succeeded", "failed", "blocked")
"""Ends with a counter of their own; `canceled` and `expired` say nothing of a prompt and are `other`."""


class EndedJob(Protocol):
    """What is read of a job's head (`jobs.head.Head`)."""

    @property
    def id(self) -> str:
        """The job."""
        ...

    @property
    def status(self) -> str:
        """How it ended."""
        ...

    @property
    def spent(self) -> int:
        """Nano-dollars of its settled calls."""
        ...

    @property
    def usage(self) -> Mapping[str, int]:
        """Tokens of the answer that was taken."""
        ...

    @property
    def created_at(self) -> int:
        """Milliseconds."""
        ...

    @property
    def ended_at(self) -> int | None:
        """Milliseconds."""
        ...

    @property
    def is_over(self) -> bool:
        """True where it has ended."""
        ...

    @property
    def prompt(self) -> Mapping[str, Any] | None:
        """The version of a stored prompt that it was filled from."""
        ...


def endings(before: EndedJob, after: EndedJob) -> list[Update]:
    """What is counted in the commit that leads from one head to the next: the arm of a job that ends by it."""
    if before.is_over or not after.is_over or not after.prompt:
        return []
    return [count(after, after.prompt)]


def count(head: EndedJob, used: Mapping[str, Any]) -> Update:
    """The write to add to the commit that ends a job.

    Args:
        head: as it is after that commit.
        used: `{"id", "version", "label"}` of `templates.Filled`.
    """
    how = str(head.status) if str(head.status) in COUNTED else "other"
    shard = zlib.crc32(head.id.encode()) % SHARDS
    return Update(
        "ledger",
        f"PROMPT#{used['id']}",
        f"{used['version']:04}#{used['label'] or ''}#{shard}",
        add={
            "jobs": 1,
            how: 1,
            "nusd": head.spent,
            "input_tokens": head.usage.get("input_tokens", 0),
            "output_tokens": head.usage.get("output_tokens", 0),
            "milliseconds": (head.ended_at or head.created_at) - head.created_at,
        },
    )


def compare(database: Database, prompt_id: str) -> dict[str, Any]:
    """The arms side by side, by version and label.

    Returns:
        `{"id", "object": "experiment", "arms": [{"version", "label", "jobs", "succeeded", "failed", "blocked", "other",
        "success_rate", "mean_cost_usd", "mean_input_tokens", "mean_output_tokens", "mean_seconds"}]}`; the rate is of
        those jobs that succeeded, failed or were blocked, and None without any.
    """
    sums: dict[tuple[int, str], dict[str, int]] = {}
    for item in database.query("ledger", f"PROMPT#{prompt_id}"):
        version, rest = item["sk"].split("#", 1)
        arm = sums.setdefault((int(version), rest.rpartition("#")[0]), {})
        for name, value in item.items():
            if isinstance(value, int):
                arm[name] = arm.get(name, 0) + value
    arms = [_arm(version, label, sums[version, label]) for version, label in sorted(sums)]
    return {"id": prompt_id, "object": "experiment", "arms": arms}


def _arm(version: int, label: str, found: Mapping[str, int]) -> dict[str, Any]:
    jobs = found["jobs"]
    ends = {name: found.get(name, 0) for name in (*COUNTED, "other")}
    judged = jobs - ends["other"]
    return {
        "version": version,
        "label": label or None,
        "jobs": jobs,
        **ends,
        "success_rate": round(ends["succeeded"] / judged, 4) if judged else None,
        "mean_cost_usd": round(found["nusd"] / jobs / 1_000_000_000, 9),
        "mean_input_tokens": round(found["input_tokens"] / jobs, 1),
        "mean_output_tokens": round(found["output_tokens"] / jobs, 1),
        "mean_seconds": round(found["milliseconds"] / jobs / 1000, 3),
    }
