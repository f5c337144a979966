"""What a batch shows of deliveries to registered endpoints: also without a webhook of its own, and no other batch's."""

import json
from dataclasses import replace

import pytest
from broker.batches.batch import Batch, BatchStatus
from broker.batches.store import Batches
from broker.batches.viewing import ShowBatch

from tests.fakes.batches import a_batch
from tests.fakes.world import BASE_URL, NOW
from tests.unit.endpoints.endpoints_case import Shop


def ended(batches: Batches, name: str, tenant: str) -> Batch:
    batch = replace(a_batch(3, status=BatchStatus.COMPLETED), id=name, tenant=tenant, asked={})
    batches.create(batch)
    return batch


@pytest.mark.parametrize("attempted", [False, True])
def test_a_batch_without_a_webhook_tells_of_deliveries_to_endpoints(attempted: bool) -> None:
    shop = Shop()
    batches = Batches(shop.world.database)
    mine, others = ended(batches, "batch_1", "acme"), ended(batches, "batch_2", "other")
    registered = shop.register()
    told = json.dumps({"type": "batch.completed", "timestamp": "now", "data": {"id": mine.id}})
    shop.telling.of_batch(mine.id, "acme", NOW // 1000 + 99, "batch.completed", "evt_1", NOW, told, NOW)
    if attempted:
        assert shop.work() == ["delivered"]
    (delivery,) = ShowBatch(batches, BASE_URL)(mine, NOW)["delivery"]
    assert (delivery["endpoint_id"], delivery["event"]) == (registered.id, "batch.completed")
    assert (delivery["state"], len(delivery["attempts"])) == (("delivered", 1) if attempted else ("pending", 0))
    assert ShowBatch(batches, BASE_URL)(others, NOW)["delivery"] == []
