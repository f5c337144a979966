"""A tenant sends far more than may run and cancels it: the messages that are left in the lane do no harm, and go.

A job that nobody can have touched is started without a look at it (`dispatching`), so within their first minute
canceled ones are too; the write with which each would ask a model finds that it has ended.
"""

from collections import Counter

import pytest
from broker.errors import NotCancelable
from broker.jobs.ending import cancel_job
from broker.jobs.head import Status
from broker.jobs.leaving import LAST_S

from tests.fakes.world import MINUTE, NOW, SECOND
from tests.unit.overload_case import Arrival, Overload

JOBS, MODEL_S = 400, 30
AFTER = "quiet"


@pytest.mark.parametrize("lane", ["interactive", "bulk"])
@pytest.mark.parametrize("canceled_at", [20 * SECOND, 3 * MINUTE], ids=["at once", "when the sweep sent them again"])
def test_messages_of_canceled_jobs_ask_nobody_keep_nobody_waiting_and_go(lane: str, canceled_at: int) -> None:
    flood = [Arrival(number * 5, MODEL_S * SECOND, "hostile", lane) for number in range(JOBS)]
    quiet = [Arrival(canceled_at + number * 10 * SECOND, SECOND, AFTER, lane) for number in range(30)]
    overload = Overload(10, [*flood, *quiet])

    def cancel_all() -> None:
        for job_id, arrival in overload.jobs.items():
            if arrival.tenant == "hostile":
                try:
                    cancel_job(overload.world.jobs, job_id, "hostile", overload.now)
                except NotCancelable:  # it had ended
                    continue

    overload.at(NOW + canceled_at, cancel_all)
    heads = overload.run()
    assert Counter(head.status for head in heads if head.tenant == AFTER) == {Status.SUCCEEDED: len(quiet)}
    ends = Counter(head.status for head in heads if head.tenant == "hostile")
    assert ends.keys() <= {Status.CANCELED, Status.SUCCEEDED} and ends[Status.CANCELED] > JOBS / 2
    asked = [at for job_id, at in overload.asked_at.items() if overload.jobs[job_id].tenant == "hostile"]
    assert max(asked) <= NOW + canceled_at, "no model was asked for a job that was canceled"
    assert overload.starts <= JOBS + len(quiet), "each message starts one run at most"
    waits = overload.waits_ms(AFTER)
    assert waits[len(waits) // 2] <= SECOND
    # Until functions are free that canceled jobs still have; in the bulk lane tenants take turns besides, and one that
    # was left is looked at again in up to `LAST_S`.
    longest_s = MODEL_S + (LAST_S if lane == "bulk" else 0)
    assert waits[-1] <= longest_s * SECOND
    assert not any(each.messages for each in overload.lanes.values())
    assert overload.dead_letters == 0
