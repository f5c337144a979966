"""A file of one request waits while its tenant has as many jobs under way as it may, and no other tenant's does."""

import json

from broker.jobs.ending import cancel_job

from tests.fakes.inbox import Files, chat
from tests.fakes.world import NOW

ONE = json.dumps(chat("One."))


def test_a_file_waits_until_there_is_a_place_and_is_not_refused() -> None:
    files = Files()
    files.world.tenant("acme", limits={"queued_jobs": 1})
    files.world.tenant("other", limits={"queued_jobs": 1})
    first, second = files.inbox.put("acme/one.json", ONE), files.inbox.put("acme/two.json", ONE)
    files.split(first)
    files.split(second)
    files.split(files.inbox.put("other/one.json", ONE))
    assert [head.tenant for head in files.world.queue.sent] == ["acme", "other"]
    assert (files.outbox.objects, files.bus.events) == ({}, [])
    ((event, delay_s),) = files.collects.later
    assert 60 <= delay_s < 120
    files.collects.later.clear()
    files.split(event)
    assert len(files.collects.later) == 1, "and once more"
    cancel_job(files.world.jobs, files.world.queue.sent[0].id, "acme", NOW)
    files.split(files.collects.later.pop()[0])
    assert [head.tenant for head in files.world.queue.sent] == ["acme", "other", "acme"]
    assert not files.collects.later and not files.outbox.objects
