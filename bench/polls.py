"""What it costs to wait for an answer: by polls, or by a connection that is held open."""

import math

from bench.pricing import API, MILLION, Job, PriceList, Traffic, bill, express_ms, gb_s, summed

LONGEST_POLL_S = 20
"""What the bench's client asks for; API Gateway cuts a call after 29 seconds."""


def each_second(job: Job, prices: PriceList, model_s: float) -> int:
    """Polls of a client that asks every second until the end, beside the one that finds it."""
    return math.ceil(express_ms(job, prices, model_s) / 1000) - 1


def further(job: Job, poll: Job, polls: float, prices: PriceList, traffic: Traffic, model_s: float) -> float:
    """Dollars more for a million jobs that are polled so many times more."""
    with_them, without = (bill(each, prices, traffic, model_s) for each in (job.with_polls(poll, polls), job))
    return summed(with_them) - summed(without)


def long_poll(job: Job, prices: PriceList, model_s: float) -> float:
    """Dollars more for a million jobs whose client holds a long poll open while the model works.

    The waiting function is `api`; each look is one read (first after 0.1 s, then ever later, at most every second).
    The CPU time of the looks is left out.
    """
    held, looks, pause = min(model_s, LONGEST_POLL_S), 0, 0.1
    left = held
    while left > 0:
        left, looks, pause = left - pause, looks + 1, min(pause * 1.3, 1.0)
    memory = job.functions[API].memory_mb
    polls = max(0, math.ceil(model_s / LONGEST_POLL_S) - 1)
    lambda_usd = gb_s(memory, model_s * 1000) * prices.usd["lambda_gb_s"]
    reads = looks * model_s / held * prices.usd["dynamodb_read"]
    return (lambda_usd + reads + polls * (prices.usd["api_request"] + prices.usd["lambda_request"])) * MILLION
