"""What a job may take, in counts, which are the same on every machine. More than that fails `python -m bench price`."""

from bench.pricing import Job

MOST = {
    "AWS requests": 13,
    "DynamoDB write units": 14.6,
    "DynamoDB read units": 3,
    "invocations": 9,
    "states of the workflow": 8,
    "events": 1,
    "bytes of logs": 1_590,
    "S3 requests": 0,
}
"""Of one job of 2 KB in and out, on average over the texts, with one poll. Sizes vary by a digit here and there."""


def taken(job: Job) -> dict[str, float]:
    """The same of a job that was counted."""
    functions = job.functions.values()
    return {
        "AWS requests": sum(sum(each.requests.values()) for each in functions),
        "DynamoDB write units": job.writes,
        "DynamoDB read units": job.reads,
        "invocations": sum(each.invocations for each in functions),
        "states of the workflow": job.transitions,
        "events": job.events,
        "bytes of logs": sum(each.log_bytes for each in functions),
        "S3 requests": job.s3_puts + job.s3_gets,
    }


def exceeded(job: Job) -> list[str]:
    """The names of what a job takes too much of."""
    return [name for name, number in taken(job).items() if number > MOST[name]]
