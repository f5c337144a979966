"""How much a check does for one request or answer: counted, so that the same text is always read as far.

Time is not asked: what is read must not depend on how busy a machine is. A step is what takes about a microsecond.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

NOT_ALL_READ = "not_all_read"
"""The kind of a finding where a check has done all that it may: there may be more in the texts than it has read."""

MOST_WORK: Mapping[str, int] = {
    "injection": 6_500_000,
    "secrets": 2_000_000,
    "card_numbers": 3_000_000,
    "personal_data": 7_000_000,
}
MOST_OF_OTHERS = 3_000_000
"""Steps of each check for all texts of a stage. Four million characters of prose, code, tables, logs or addresses take
fewer (`docs/guardrails.md`); what takes more was made to."""


EACH_TEXT, EACH_FIND = 5, 8
"""Steps that a check takes for a text whatever is in it, and for what follows a find."""

ASKED = 2000
"""Characters of a request in which a step looks for what an answer has."""


@dataclass(slots=True)
class Work:
    """What one check has done, and how much it may; without a bound unless one is said."""

    most: int = sys.maxsize
    done: int = 0

    def take(self, steps: int) -> bool:
        """Count steps that are about to be done; False where the check is to stop."""
        self.done += steps
        return self.done <= self.most

    @classmethod
    def of(cls, check: str) -> Self:
        """What a check may do."""
        return cls(MOST_WORK.get(check, MOST_OF_OTHERS))

    @property
    def spent(self) -> bool:
        """True where a check had to stop."""
        return self.done > self.most
