"""The doors of the functions, and what of bootstrap stands behind each."""

import ast

import pytest

from tests.contract.stack import ROOT, functions

BOOTSTRAP = ast.parse(
    "\n".join(path.read_text() for path in sorted((ROOT / "functions" / "broker" / "bootstrap").glob("*.py")))
)
MODULES = ("adapters", "doors", "running")
BUILDERS = {node.name: node for node in BOOTSTRAP.body if isinstance(node, ast.FunctionDef)}

each_function = pytest.mark.parametrize(
    ("name", "properties"), [pytest.param(*pair, id=pair[0]) for pair in functions().items()]
)


def calls_of_bootstrap(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in MODULES
    }


def builders_behind(names: set[str]) -> set[str]:
    """The builders that these call, and they in turn."""
    found: set[str] = set()
    while names - found:
        builder = (names - found).pop()
        found.add(builder)
        nodes = ast.walk(BUILDERS[builder])
        names = names | {node.id for node in nodes if isinstance(node, ast.Name) and node.id in BUILDERS}
    return found
