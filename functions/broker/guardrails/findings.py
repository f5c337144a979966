"""What guardrails tell of what they found."""

from dataclasses import asdict, dataclass
from typing import Any

from broker.guardrails.policy import Stage


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; never the text itself."""

    stage: Stage
    rule: str
    """The check's name."""
    kind: str
    """Of what it found: `visa`, `github_token`, ...; `check_failed` where the check itself failed."""
    action: str
    """What followed; `error` where the check failed."""
    count: int
    place: str
    """Of the first."""
    score: float
    """The highest."""
    policy: str
    """Whose rule it is."""
    version: str
    """The check's."""
    hidden: str = ""
    """The encoding that hid it, where one did."""
    reasons: tuple[str, ...] = ()
    """What made the score, where it is made of several things."""
    shadow: bool = False
    """True where the policy is only tried out: nothing followed."""

    def to_item(self) -> dict[str, Any]:
        """The form that is kept: the table holds whole numbers, so the score is in thousandths."""
        return asdict(self) | {"score": round(self.score * 1000), "reasons": list(self.reasons)}
