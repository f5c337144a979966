"""Batches of two tenants to a model of three calls a second: few are refused, and small rows are done first.

Nothing here is timed: a machine that is busy calls less often, and is refused less.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broker.consequences import SUCCEEDED
from broker.jobs.head import job_pk

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat

ROWS = 75
MOST_REFUSED = 0.05
"""Calls a row."""


def rows(text: str) -> list[dict[str, Any]]:
    return [chat(f"{number}: {text}", model="paced", custom_id=f"r{number}") for number in range(ROWS)]


def calls(stack: Stack, batches: BatchesOf, batch_id: str) -> list[list[dict[str, Any]]]:
    """Those of each row, as its job's head keeps them."""
    ids = [str(line["job_id"]) for line in batches.lines(batch_id)]
    assert len(ids) == ROWS
    heads = stack.database.get_many("jobs", [(job_pk(each), "HEAD") for each in ids])
    return [list(head["calls"].values()) for head in heads]


def test_batches_at_a_models_limit_are_seldom_refused_and_share_by_tokens(stack: Stack) -> None:
    light, heavy = BatchesOf(stack, "paced-light"), BatchesOf(stack, "paced-heavy")
    sizes = {light: "The lamp was lit.", heavy: "The keeper slept, and the lamp was lit all night. " * 24}
    with ThreadPoolExecutor(2) as pool:
        ids = dict(zip(sizes, pool.map(lambda each: each.submit(requests=rows(sizes[each])), sizes), strict=True))
        ended = list(pool.map(lambda each: each.ended(ids[each], 240), ids))
    assert [each["request_counts"]["completed"] for each in ended] == [ROWS, ROWS]
    made = {each: calls(stack, each, batch_id) for each, batch_id in ids.items()}
    every = [call for some in made.values() for of_row in some for call in of_row]
    assert len([call for call in every if call["o"] != SUCCEEDED]) <= MOST_REFUSED * 2 * ROWS
    answered = {each: sorted(call["a"] for of_row in some for call in of_row) for each, some in made.items()}
    done = answered[light][-1]
    assert sum(at <= done for at in answered[heavy]) <= 0.75 * ROWS, "by number of rows both would be done at once"
