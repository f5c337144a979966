"""How many of something a tenant may have under way at once. What is counted is what there is: no count can go astray.

Those that are asked for at the very same moment may not see each other, so it is about as many as it says.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.errors import TooManyAtOnce

LATER_S = 60
"""After which it makes sense to come again."""


@dataclass(frozen=True, slots=True)
class Room:
    """A bound on what a tenant has under way."""

    what: str
    """In the plural; with the words of it the code of the error is made, as `too_many_batches`."""
    most: Callable[[str, int], int]
    """Of a tenant, at a moment (milliseconds)."""
    count: Callable[[str, int], int]
    """How many a tenant has, up to some number."""

    def check(self, tenant: str, now: int) -> None:
        """Look whether one more may begin.

        Raises:
            TooManyAtOnce: not before another has ended.
        """
        most = self.most(tenant, now)
        if self.count(tenant, most) >= most:
            message = f"The tenant has {most:,} {self.what} that have not ended: as many as it may have at once."
            raise TooManyAtOnce(message, code=f"too_many_{self.what.replace(' ', '_')}", retry_after=LATER_S)
