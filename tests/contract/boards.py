"""The dashboard and the saved queries of the template, read as CloudWatch would read them."""

import ast
import json
import re
from functools import cache
from typing import Any, NamedTuple

from tests.contract.stack import ROOT, Resource, of_type, template
from tests.contract.told import metrics_told


class Watched(NamedTuple):
    """A metric of a widget."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    """With the template's placeholders as values."""
    statistic: str


def board() -> Resource:
    """The dashboard's properties."""
    (found,) = of_type("AWS::CloudWatch::Dashboard").values()
    return found


def queries() -> dict[str, str]:
    """By name, as the template has them."""
    return {name: each["Query"] for name, each in template()["Mappings"]["Queries"].items()}


def groups() -> dict[str, list[str]]:
    """By query, the log groups that it reads, with the template's placeholders."""
    found = {}
    for name, each in template()["Mappings"]["Queries"].items():
        some = [each[key] for key in ("Group", "Also") if key in each]
        found[name] = [f"/aws/{each['Of']}/${{AWS::StackName}}/{group}" for group in some]
    return found


def saved_groups(saved: Resource) -> list[str]:
    """The log groups of a saved query, likewise."""
    found = []
    for group in saved["LogGroupNames"]:
        if "Ref" in group:
            found.append(of_type("AWS::Logs::LogGroup")[group["Ref"]]["LogGroupName"]["Fn::Sub"])
        else:
            text, parts = group["Fn::Sub"]
            found.append(text.replace("${Of}", parts["Of"]).replace("${Group}", parts["Group"]))
    return found


def body(*, all_alarms: bool = True) -> dict[str, Any]:
    """What the dashboard says: JSON, its queries and alarms filled in, all other placeholders as they are.

    Raises:
        ValueError: it is no JSON.
    """
    text, variables = board()["DashboardBody"]["Fn::Sub"]
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", _filled(value, all_alarms))
    found: dict[str, Any] = json.loads(text)
    return found


def _filled(value: Any, all_alarms: bool) -> str:
    match value:
        case str():
            return value
        case {"Fn::If": ["HasAllAlarms", one, other]}:
            return _filled(one if all_alarms else other, all_alarms)
        case {"Fn::Sub": str(text)}:
            return text
    raise AssertionError(f"{value!r} is not known here")


def widgets(kind: str) -> list[dict[str, Any]]:
    """The properties of all widgets of a kind."""
    return [each["properties"] for each in body()["widgets"] if each["type"] == kind]


def metrics() -> list[Watched]:
    """All that the widgets show (CloudWatch API reference, "Dashboard body structure and syntax")."""
    found = []
    for widget in widgets("metric"):
        for row in widget["metrics"]:
            words = [each for each in row if isinstance(each, str)]
            options = row[-1] if isinstance(row[-1], dict) else {}
            found.append(Watched(*words[:2], dict(pairs(words[2:])), options.get("stat", widget["stat"])))
    return found


def pairs(words: list[str]) -> list[tuple[str, str]]:
    """Two by two."""
    assert len(words) % 2 == 0, f"{words} has a dimension without its value"
    return list(zip(words[::2], words[1::2], strict=True))


COMMANDS = frozenset("filter stats fields sort limit display by as and or in like desc asc".split())
FUNCTIONS = frozenset("count sum avg max min pct bin strcontains".split())


def fields_of(query: str) -> set[str]:
    """The fields of lines that a query reads; those that it makes by itself (`as`) are left out."""
    bare = re.sub(r"'[^']*'", "''", query)
    made = set(re.findall(r"\bas (\w+)", bare))
    words = set(re.findall(r"(?<![@\w])[A-Za-z_]\w*", re.sub(r"\b\d+[smhd]\b", "", bare)))
    return words - made - COMMANDS - FUNCTIONS


@cache
def lines_of_handlers() -> dict[str, set[str]]:
    """By the beginning of its message, the facts of each line that a handler writes by itself, from its source.

    A metric that is told on the same line is a fact of it.
    """
    told = set(metrics_told())
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "functions" / "handlers").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                named = {
                    key.value: value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
                if "message" in named:
                    found.setdefault(_beginning(named["message"]), set(told)).update(map(str, named))
    return found


def _beginning(message: ast.expr) -> str:
    first = message.values[0] if isinstance(message, ast.JoinedStr) else message
    return str(first.value) if isinstance(first, ast.Constant) else ""
