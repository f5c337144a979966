"""What a recording came to, as a terminal shows it or as JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from broker.cli.compat.call import Outcome
from broker.cli.printable import on_one_line


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Calls and models, the most frequent first.

    Returns:
        `{"calls": [{"route", "result", "why", "count"}], "models": [{"model", "count", "expected_cost_usd",
        "worst_cost_usd"}]}`
    """
    counted = Counter((each.route, each.result, each.why) for each in outcomes)
    calls = [
        {"route": route, "result": result, "why": why, "count": count}
        for (route, result, why), count in counted.most_common()
    ]
    return {"calls": calls, "models": [_of_model(name, outcomes) for name in _models(outcomes)]}


def _models(outcomes: Iterable[Outcome]) -> list[str]:
    return [name for name, _ in Counter(each.cost.model for each in outcomes if each.cost).most_common()]


def _of_model(name: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    costs = [each.cost for each in outcomes if each.cost and each.cost.model == name]
    return {
        "model": name,
        "count": len(costs),
        "expected_cost_usd": round(sum(cost.expected for cost in costs), 9),
        "worst_cost_usd": round(sum(cost.worst for cost in costs), 9),
    }


def _model_line(row: dict[str, Any]) -> str:
    costs = f"{row['expected_cost_usd']:.6f} $, at most {row['worst_cost_usd']:.6f} $"
    return f"{row['count']:6}  {row['model']}: {costs}"


def text(outcomes: Sequence[Outcome]) -> str:
    """The same as lines."""
    found = document(outcomes)
    lines = [
        on_one_line(
            f"{each['count']:6}  {each['result']:8}  {each['route']}" + (f": {each['why']}" if each["why"] else "")
        )
        for each in found["calls"]
    ]
    lines += [on_one_line(_model_line(each)) for each in found["models"]]
    works = sum(each["count"] for each in found["calls"] if each["result"] == "works")
    return "\n".join([*lines, f"{works} of {len(outcomes)} calls work"])
