"""A bulk operation on the tables as DynamoDB has them."""

from broker.jobs.head import Status
from broker.storage import Database

from tests.fakes.world import World, a_model
from tests.unit.bulk_case import BulkWorld


def test_a_bulk_reads_and_writes_what_the_tables_take(database: Database) -> None:
    world = BulkWorld(world=World(database=database))  # type: ignore[arg-type]
    world.world.register(a_model("small"))
    world.world.tenant()
    failed = world.job(Status.FAILED, metadata={"order": "17"})
    world.job(Status.FAILED)
    tag = {"key": "order", "value": "17"}
    dry = world.done("retry", status="failed", tag=tag, dry_run=True)
    assert (dry["status"], dry["counts"]["done"], dry["by_status"]) == ("completed", 1, {"failed": 1})
    assert dry["worst_cost_usd"] > 0
    made = world.done("retry", status="failed", tag=tag)
    again = world.done("retry", status="failed", tag=tag)
    assert (made["counts"]["done"], again["counts"]["repeated"]) == (1, 1)
    assert world.done("cancel", status="queued")["counts"]["done"] == 1
    assert failed.status is Status.FAILED
