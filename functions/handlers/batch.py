"""SQS batches: each record alone, within its share of the time, and only those that failed come again.

No record sinks its neighbours. Each gets an equal share of the time that is left, so one that hangs costs no more than
that, and whatever it spares goes to those after it. Those that came before come last: theirs is what the others left.
When no share is left that anything could be done in, the rest is given back untouched.

What is given back stays hidden for the rest of the queue's visibility timeout and has been received once more
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html), touched or not. So time is shared out
instead of spent on who comes first: to be given back untouched is the exception.

Powertools' batch processor does the first half, at 180 ms of imports for each start: it loads the parser and every
event source it knows.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from broker.bounds import Overrun, within
from broker.observability import place_of, warn
from broker.side_by_side import Work, side_by_side

MARGIN_S = 2.0
"""Kept for the answer."""

LEAST_S = 0.5
"""A share that is shorter is not worth beginning with."""

MOST_S = 20.0
"""A record's time, however much there is: one that needs more will need for ever."""

Record = dict[str, Any]


def each_record(
    event: dict[str, Any], context: Any, work: Callable[[Record], None], most_s: float = MOST_S
) -> dict[str, Any]:
    """Do the work for each record; gives the partial batch response (`ReportBatchItemFailures`).

    Work may be broken off anywhere, as by a crash.
    """
    failures = []
    waiting = in_turn(event["Records"])
    for place, record in enumerate(waiting):
        share = min(most_s, (context.get_remaining_time_in_millis() / 1000 - MARGIN_S) / (len(waiting) - place))
        if share < LEAST_S:
            untouched = [each["messageId"] for each in waiting[place:]]
            warn("no time left; the rest will come again", message_ids=untouched)
            failures += untouched
            break
        try:
            with within(share):
                work(record)
        except (Exception, Overrun) as error:
            facts = {"message_id": record["messageId"], "error": type(error).__name__, "at": place_of(error)}
            warn("record failed; it will come again", **facts)
            failures.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}


def records_at_once(
    event: dict[str, Any],
    context: Any,
    work: Callable[[Record], None],
    together: Callable[[list[Work], Callable[[], float]], None] = side_by_side,
) -> dict[str, Any]:
    """Do the work for all records at the same time, which is for work that waits and bounds its own waiting.

    Gives the partial batch response; what is not done when the time is over comes again, as from a crash.
    """
    done: set[str] = set()

    def do(record: Record) -> None:
        try:
            work(record)
        except Exception as error:
            facts = {"message_id": record["messageId"], "error": type(error).__name__, "at": place_of(error)}
            warn("record failed; it will come again", **facts)
        else:
            done.add(record["messageId"])

    records = event["Records"]
    works: list[Work] = [partial(do, record) for record in records]
    together(works, lambda: context.get_remaining_time_in_millis() / 1000 - MARGIN_S)
    left = [each["messageId"] for each in records if each["messageId"] not in done]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


def in_turn(records: list[Record]) -> list[Record]:
    """New ones as they came, then those that came before.

    One of these may end the process each time, and with it whatever comes behind it. So their order turns about from
    one time to the next: of any two, the first is then the last.
    """
    new = [record for record in records if _times(record) == 1]
    again = [record for record in records if _times(record) > 1]
    most = max(map(_times, again), default=0)
    return new + sorted(again, key=lambda record: str(record["messageId"]), reverse=most % 2 == 1)


def _times(record: Record) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])
