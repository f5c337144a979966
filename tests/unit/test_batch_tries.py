"""Passes over rows: those that hang have ever less time, and whoever stands behind them comes first the next time."""

import json

from broker.batches.rows.tries import LINE_S, Pass
from broker.batches.shard import ROWS
from broker.bounds import Overrun


def test_rows_that_hang_are_given_ever_less_time() -> None:
    way, spent = Pass.of({}), 0.0
    for row in range(ROWS):
        spent += way.patience_s
        way.fail(row, Overrun())
        if row % 10 == 0:
            way = Pass.of(json.loads(json.dumps(way.cut([]))))
    assert spent < 2 * ROWS, "a shard of nothing but rows that hang ends all the same, in minutes"
    assert len(way.failed) == ROWS


def test_a_line_that_goes_well_restores_the_time_of_the_next() -> None:
    way = Pass.of({})
    first = way.patience_s
    way.fail(1, Overrun())
    way.fail(2, ValueError())
    assert way.patience_s == first / 2
    way.succeed()
    assert way.patience_s == first


def test_every_other_pass_goes_from_behind() -> None:
    way = Pass.of({})
    directions = []
    while not way.is_last:
        directions.append(way.is_backwards)
        way.fail(1, ValueError())
        way = Pass.of(way.next())
    assert directions == [False, True, False]
    assert (way.has(1), way.has(2), way.line_s) == (True, False, LINE_S)
