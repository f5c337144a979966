"""The doors of the functions, and what of bootstrap stands behind each."""

import ast
from functools import cache

import pytest

from tests.contract.stack import ROOT, functions

BOOTSTRAP = ast.parse(
    "\n".join(path.read_text() for path in sorted((ROOT / "functions" / "broker" / "bootstrap").glob("*.py")))
)
MODULES = tuple(path.stem for path in sorted((ROOT / "functions" / "broker" / "bootstrap").glob("[a-z]*.py")))
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
        used = {node.id for node in ast.walk(BUILDERS[builder]) if isinstance(node, ast.Name)}
        names = names | ((used | calls_of_bootstrap(BUILDERS[builder])) & BUILDERS.keys())
    return found


IMPORTED_FROM = {
    alias.asname or alias.name: node.module
    for node in ast.walk(BOOTSTRAP)
    if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("broker.bootstrap")
    for alias in node.names
}


def modules_behind(builders: set[str]) -> set[str]:
    """The modules of the broker that these builders build from, and those that they import in turn."""
    used = {node.id for name in builders for node in ast.walk(BUILDERS[name]) if isinstance(node, ast.Name)}
    wanted = {IMPORTED_FROM[name] for name in used & IMPORTED_FROM.keys()}
    found: set[str] = set()
    while wanted - found:
        module = (wanted - found).pop()
        found.add(module)
        nodes = ast.walk(_tree(module))
        wanted |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {module for module in found if module.startswith("broker.")}


def attributes_of(module: str) -> set[str]:
    """The names of all attributes that a module of the broker uses."""
    return {node.attr for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute)}


@cache
def _tree(module: str) -> ast.Module:
    path = ROOT / "functions" / f"{module.replace('.', '/')}.py"
    return ast.parse(path.read_text() if path.exists() else "")
