"""How many bulk operations a tenant may have under way; what they are is no job in its lists."""

import pytest
from broker.bulk.asking import MOST_OPEN
from broker.errors import TooManyAtOnce
from broker.jobs.head import Status

from tests.unit.bulk_case import BulkWorld


def test_a_tenant_has_so_many_under_way_and_another_is_not_kept_by_them() -> None:
    world = BulkWorld()
    world.world.tenant("other")
    for number in range(MOST_OPEN):
        world.asked("cancel", status="queued", key=f"key-{number}")
    with pytest.raises(TooManyAtOnce, match="20 bulk operations") as failure:
        world.asked("cancel", status="queued", key="one more")
    assert (failure.value.status, failure.value.code) == (429, "too_many_bulk_operations")
    repeated = world.asked("cancel", status="queued", key="key-3")
    world.asked("cancel", tenant="other", status="queued")
    world.work()
    assert world.bulks.get(repeated.id, "acme").tenant == "acme"
    world.asked("cancel", status="queued", key="one more")


def test_they_are_not_among_the_jobs_of_their_tenant() -> None:
    world = BulkWorld()
    head = world.job(Status.QUEUED)
    world.asked("cancel", status="queued")
    heads, _ = world.world.jobs.of_tenant("acme", limit=100, cursor=None)
    assert [each.id for each in heads] == [head.id]
    world.work()
    assert [each.id for each in world.world.jobs.of_tenant("acme", limit=100, cursor=None)[0]] == [head.id]
    assert world.bulks.open_of_tenant("acme", MOST_OPEN) == 0
