"""What a stack costs that does nothing, by its parameters: arithmetic, from the template and the price list alone."""

from collections.abc import Iterator

from bench.monthly import busy, idle, metrics
from bench.pricing import PriceList, Traffic, summed
from bench.tables import Cell, Table, markdown, show, table

CHOICES: dict[str, dict[str, str]] = {
    "as it comes": {},
    "`AlarmSet=few`": {"AlarmSet": "few"},
    "`AlarmSet=few`, `Inbox=off`": {"AlarmSet": "few", "Inbox": "off"},
    "`Dashboard=on`": {"Dashboard": "on"},
}
"""Parameters that change it, by the head of their column."""


def run(*, plain_markdown: bool) -> None:
    """Print the tables."""
    found = list(tables(PriceList.load()))
    shown, between = (markdown, "\n\n") if plain_markdown else (table, "\n")
    show(between.join(shown(*each) for each in found))


def tables(prices: PriceList) -> Iterator[Table]:
    """Those of docs/operations.md that need no stack."""
    bills = [idle(prices, **parameters) for parameters in CHOICES.values()]
    rows: list[list[Cell]] = []
    for lines in zip(*bills, strict=True):
        quantities = dict.fromkeys(f"{line.quantity:,.0f} {line.unit}".strip() for line in lines)
        rows.append([lines[0].name, ", ".join(quantities), *(line.usd for line in lines)])
    rows.append(["**together**", "", *(summed(lines) for lines in bills)])
    yield Table("$ a month, without a job", ["", "", *CHOICES], rows, 2)
    told = metrics(prices)
    rows = [
        [f"`{each.name}`", ", ".join(each.dimensions), each.billed, each.billed * prices.usd["metric"]] for each in told
    ]
    (line, *_) = busy(prices, Traffic(), 0)
    rows.append(["**together**", "", sum(each.billed for each in told), line.usd])
    yield Table("Custom metrics, $ a month with jobs in each hour", ["", "by", "metrics", "$"], rows, 2)
