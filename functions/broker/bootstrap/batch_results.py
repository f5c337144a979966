"""Builds what ends batches: counting and folding, results, what is told, the sweep's look."""

from functools import cache
from typing import TYPE_CHECKING

from broker.bootstrap.adapters import (
    base_url,
    conversations,
    database,
    delivery_queue,
    files,
    jobs,
    payloads,
    setting,
    tell_bus,
)
from broker.bootstrap.batching import batch_workflows, batches, duplicates, release, row_bytes, run_rows, shard_queue
from broker.bootstrap.endpoints import tell_endpoints

if TYPE_CHECKING:
    from broker.batches.flow.looking import LookAtBatch
    from broker.batches.flow.telling import Tell, TellSoon
    from broker.batches.results.assembling import Assemble
    from broker.batches.results.erasing import EraseShard
    from broker.batches.results.folding import Fold
    from broker.batches.rows.counting import Count
    from broker.batches.rows.tending import Tend
    from broker.cloud.results import ResultObjects
    from broker.jobs.head import Head


@cache
def shard_results() -> "ResultObjects":
    """Results of shards."""
    from broker.cloud.clients import client
    from broker.cloud.results import ResultObjects

    return ResultObjects(lambda: client("s3"), setting("PAYLOADS_BUCKET"))


@cache
def count_row() -> "Count":
    """Counting rows."""
    from broker.batches.rows.counting import Count

    return Count(batches(), shard_queue())


@cache
def tell() -> "Tell":
    """What is told of batches."""
    from broker.batches.flow.telling import Tell
    from broker.delivery.starting import StartDelivery

    start = StartDelivery(database(), delivery_queue())
    return Tell(batches(), tell_bus, start, base_url(), lambda *about: tell_endpoints().of_batch(*about))


@cache
def tell_soon() -> "TellSoon":
    """Having the end of a batch told."""
    from broker.batches.flow.telling import TellSoon

    return TellSoon(batches(), shard_queue())


@cache
def erase_shard() -> "EraseShard":
    """Erasing the jobs of rows."""
    from broker.batches.results.erasing import EraseShard
    from broker.bootstrap.adapters import answers
    from broker.jobs.erasing import erase

    def erase_job(head: "Head") -> None:
        erase(jobs(), payloads(), lambda job_id: answers().forget(job_id), conversations().erase_turn, head)

    return EraseShard(jobs(), erase_job, release())


@cache
def fold() -> "Fold":
    """What follows when rows of a shard have ended."""
    from broker.batches.results.collecting import Collect
    from broker.batches.results.folding import Fold
    from broker.jobs.exporting import Export

    collect = Collect(batches(), jobs().look, Export(payloads(), base_url()), shard_results(), row_bytes())
    return Fold(batches(), jobs(), duplicates(), collect, erase_shard(), release(), shard_queue(), tell())


@cache
def tend() -> "Tend":
    """What becomes of a shard."""
    from broker.batches.rows.tending import Tend

    return Tend(batches(), run_rows(), fold(), batch_workflows(), tell())


@cache
def assemble() -> "Assemble":
    """The files of results."""
    from broker.batches.results.assembling import Assemble
    from broker.cloud.clients import client
    from broker.cloud.result_file import ResultFile

    return Assemble(batches(), shard_results(), files(), ResultFile(lambda: client("s3")), setting("OUTBOX_BUCKET"))


@cache
def look_at_batch() -> "LookAtBatch":
    """The sweep's look."""
    from broker.batches.flow.looking import LookAtBatch

    return LookAtBatch(batches(), release(), shard_queue(), batch_workflows(), tell())
