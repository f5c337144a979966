"""How many jobs a second the default quotas of one account and region let through, from what one job takes.

Sources: the quota pages of Lambda, Step Functions, API Gateway, DynamoDB, EventBridge and X-Ray (us-east-1, 2026-11).
"""

import math
from dataclasses import dataclass

from broker.tenants import slices

from bench.contention import TRANSACTION_S
from bench.pricing import Job, PriceList, billed_ms
from bench.template import parameter, readers


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit and what one job takes of it; `limit / taken` jobs a second."""

    name: str
    limit: float
    taken: float
    note: str

    @property
    def jobs_s(self) -> float:
        """Jobs a second; infinite where a job takes none of it."""
        return self.limit / self.taken if self.taken else math.inf


def quotas(job: Job, prices: PriceList, model_s: float) -> list[Quota]:
    """All of them, the tightest first."""
    busy_s = sum(billed_ms(each, prices) for each in job.functions.values()) / 1000 + model_s
    rate, reading = float(parameter("RequestRate")), readers()["InteractiveQueue"]
    dispatching_s = billed_ms(job.functions["DispatchFunction"], prices) / 1000
    table = [
        Quota("RequestRate of this stack", rate, job.api_requests, "a parameter: requests a second of the REST API"),
        Quota(
            "TenantRequestRate of this stack",
            float(parameter("TenantRequestRate")),
            job.api_requests,
            "a parameter: those of one tenant, unless its entry says otherwise",
        ),
        Quota("readers of the queue", reading, dispatching_s, "MaximumConcurrency of dispatch; seconds of one job"),
        Quota("Lambda concurrency", 1_000, busy_s, "concurrent executions of the account; seconds a job is in one"),
        Quota(
            "Lambda requests",
            10_000,
            sum(each.invocations for each in job.functions.values()),
            "ten times the concurrency",
        ),
        Quota("Lambda, all clients long-polling", 1_000, busy_s + model_s, "each job holds the api function as well"),
        Quota(
            "one tenant's budget, write units",
            1_000 * slices.COUNT,
            job.tenant_writes,
            "a thousand a second for each of its slices; of one tenant",
        ),
        Quota(
            "one tenant's budget, transactions",
            slices.COUNT / TRANSACTION_S,
            1,
            "one at a time, of ten milliseconds, for each of its slices; of one tenant",
        ),
        Quota("Express starts", 6_000, 1, "StartExecution of Express, a second"),
        Quota("API Gateway", 10_000, job.api_requests, "requests a second of the account; RequestRate sets less"),
        Quota(
            "DynamoDB writes, new table",
            4_000,
            job.writes,
            "units a second of a new table; all tables as one",
        ),
        Quota("DynamoDB writes, table quota", 40_000, job.writes, "units a second of a table, by default"),
        Quota("EventBridge", 10_000, job.events, "PutEvents entries a second"),
        Quota("Standard starts", 300, 1, "StartExecution of Standard, a second; only jobs of long time budgets"),
    ]
    return sorted(table, key=lambda quota: quota.jobs_s)


def binding(table: list[Quota]) -> Quota:
    """Which quota of the account binds Express jobs first, once DynamoDB has been warmed up to its quota."""
    names = {"Lambda concurrency", "Lambda requests", "Express starts", "API Gateway", "EventBridge"}
    return next(quota for quota in table if quota.name in names | {"DynamoDB writes, table quota"})
