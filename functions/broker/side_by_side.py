"""Several pieces of work at the same time, for as long as there is time: most of it is waiting for replies."""

from collections.abc import Callable, Sequence
from threading import Thread

Work = Callable[[], None]
"""Something to do; what it raises is its own matter."""


def side_by_side(works: Sequence[Work], seconds_left: Callable[[], float]) -> None:
    """Do each in a thread of its own, and wait until all are done or the time is over.

    What has not come to its end by then is left behind. It may go on when the process is used again, so it has to bear
    that, as it has to bear a crash.
    """
    threads = [Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, seconds_left()))


def one_by_one(works: Sequence[Work]) -> None:
    """Do one after the other."""
    for work in works:
        work()
