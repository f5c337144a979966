"""The metrics that the code tells, read from its calls of `metric`: none is overlooked because it did not come up."""

import ast
from functools import cache

from broker.observability import STACK

from tests.contract.stack import ROOT


@cache
def metrics_told() -> dict[str, frozenset[str]]:
    """By name, the keys of its dimensions.

    Raises:
        AssertionError: a call has dimensions that cannot be read, or a metric has one set here and another there.
    """
    found: dict[str, frozenset[str]] = {}
    for path in sorted((ROOT / "functions").glob("*/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
                dimensions = node.args[0]
                assert isinstance(dimensions, ast.Dict), f"{path.name}: dimensions stand where they are given"
                keys = frozenset({STACK, *(str(ast.literal_eval(key)) for key in dimensions.keys if key)})
                for name in (name for keyword in node.keywords for name in _names(keyword)):
                    assert found.setdefault(name, keys) == keys, f"{name} is told by unlike dimensions"
    return found


def _names(keyword: ast.keyword) -> set[str]:
    if keyword.arg:
        return {keyword.arg}
    constants = [node.value for node in ast.walk(keyword.value) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and value[0].isupper()}
