"""Imports point one way, and nothing happens at import."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.contract.stack import ROOT

FUNCTIONS = ROOT / "functions"

ARROWS: dict[str, set[str]] = {
    # leaves: they know nothing of the house
    "bounds": set(),
    "side_by_side": set(),
    "clock": set(),
    "cached_input": set(),
    "errors": {"cached_input"},
    "prompt_marks": set(),
    "consequences": {"errors"},
    "encodings": set(),
    "storage": set(),
    "audit": {"clock", "errors", "storage"},
    "token_estimates": set(),
    "packed_numbers": set(),
    "observability": {"clock"},
    "envelope": {"clock"},
    "json_text": {"errors"},
    "json_schema": {"errors"},
    # types of what is measured
    "metrics": {
        *("batches", "bulk", "cache", "consequences", "delivery", "errors", "jobs", "observability", "permissions"),
        *("push", "steps"),
    },
    # rooms
    "permissions": {"errors"},
    "guardrails": {"json_schema"},
    "context": {"clock", "errors", "guardrails", "jobs", "json_text", "storage", "token_estimates"},
    "prompts": {"errors", "guardrails", "json_schema", "storage"},
    "postprocessing": {"errors", "guardrails", "json_text", "providers"},
    "providers": {
        *("cached_input", "clock", "errors", "json_schema", "json_text", "packed_numbers", "prompt_marks"),
        "token_estimates",
    },
    "routing": {
        *("cached_input", "clock", "consequences", "errors", "permissions", "prompt_marks", "storage"),
        "token_estimates",
    },
    "cache": {"errors", "jobs", "prompt_marks", "routing", "storage"},
    "tenants": {"clock", "errors", "guardrails", "permissions", "storage"},
    "jobs": {
        "consequences",
        *("clock", "envelope", "errors", "guardrails", "json_schema", "json_text", "side_by_side", "storage"),
        *("permissions", "prompt_marks", "tenants"),
    },
    "reviews": {"clock", "errors", "guardrails", "jobs", "json_text", "storage"},
    "files": {"clock", "errors", "jobs", "storage", "tenants"},
    "delivery": {"clock", "envelope", "errors", "jobs", "storage"},
    "steps": {
        "context",
        *("cached_input", "clock", "consequences", "errors", "json_schema", "prompt_marks", "storage"),
        *("permissions", "token_estimates"),
        *("cache", "guardrails", "jobs", "postprocessing", "prompts", "providers", "reviews", "routing", "tenants"),
    },
    "bulk": {"batches", "bounds", "clock", "errors", "jobs", "permissions", "storage", "tenants"},
    "doors": {"errors", "json_text", "prompt_marks"},
    "endpoints": {"batches", "clock", "delivery", "doors", "envelope", "errors", "jobs", "storage"},
    "push": {"batches", "clock", "delivery", "errors", "jobs", "json_text", "side_by_side", "storage"},
    "rest": {
        "audit",
        *("batches", "bulk", "clock", "context", "delivery", "doors", "endpoints", "errors", "files", "guardrails"),
        *("jobs", "json_text", "permissions", "prompts", "registry", "reviews", "routing", "storage", "tenants"),
    },
    "console": {"errors", "rest"},
    "registry": {
        *("batches", "clock", "documents", "errors", "guardrails", "jobs", "json_schema", "json_text"),
        *("permissions", "postprocessing", "prompts", "providers", "routing", "storage", "tenants"),
    },
    "documents": {"encodings", "json_schema", "postprocessing", "token_estimates"},
    "batches": {
        *("bounds", "clock", "documents", "doors", "encodings"),
        *("envelope", "errors", "jobs", "json_text", "permissions", "storage", "tenants"),
    },
    "inbox": {
        "batches",
        "bounds",
        "clock",
        "documents",
        "envelope",
        "errors",
        "jobs",
        "json_text",
        "permissions",
        "storage",
        "tenants",
    },
    # adapters
    "cloud": {
        "audit",
        *("batches", "clock", "context", "delivery", "documents", "envelope", "errors", "files", "jobs"),
        *("json_text", "observability", "packed_numbers", "providers", "push", "storage"),
    },
    # what puts it together
    "bootstrap": {
        *("audit", "observability"),
        *("clock", "errors", "metrics", "push", "side_by_side"),
        *("batches", "bulk", "cache", "cloud", "delivery", "documents", "endpoints", "files", "inbox"),
        *("jobs", "permissions", "prompts", "providers", "registry", "rest", "reviews", "routing", "steps", "tenants"),
    },
    "handlers": {
        "audit",
        *("bootstrap", "bounds", "clock", "consequences", "errors", "metrics", "observability", "side_by_side"),
        *("cloud", "console", "jobs", "push", "rest", "steps", "tenants"),
    },
    # operators' and developers' tools: no function loads them
    "cli": {
        "audit",
        *("clock", "errors", "storage"),
        *(
            "batches",
            "inbox",
            "cloud",
            "delivery",
            "doors",
            "guardrails",
            "jobs",
            "prompts",
            "providers",
            "registry",
            "rest",
            "reviews",
            "tenants",
        ),
    },
    "contract": {
        "audit",
        "bulk",
        "batches",
        "clock",
        "consequences",
        "context",
        "delivery",
        "doors",
        "endpoints",
        "envelope",
        "errors",
        "files",
        "guardrails",
        "jobs",
        "json_text",
        "prompts",
        "registry",
        "rest",
        "reviews",
        "routing",
        "tenants",
    },
    "schemas": {"batches", "contract", "jobs", "registry"},
}
"""Who may import whom: the rooms, and the modules that stand beside them."""

TOOLS = {"cli", "contract", "schemas"}

THIRD_PARTY: dict[str, set[str]] = {
    "ahocorasick_rs": {"guardrails"},
    "aws_lambda_powertools": {"observability"},
    "boto3": {"cli"},
    "botocore": {"cli", "cloud", "providers"},
    "PIL": {"documents"},
    "chardet": {"documents"},
    "charset_normalizer": {"documents"},
    "compressed_rtf": {"documents"},
    "httptools": {"cloud"},
    "jmespath": {"providers"},
    "jsonschema_rs": {"json_schema"},
    "multipart": {"rest"},
    "lxml": {"documents"},
    "olefile": {"documents"},
    "openpyxl": {"documents"},
    "jwt": {"tenants"},
    "phonenumbers": {"guardrails"},
    "pydantic": {"batches", "bulk", "contract", "endpoints", "files", "jobs", "registry", "reviews", "schemas"},
    "cryptography": {"delivery"},
    "pydantic_core": {"contract", "jobs"},
    "pypdfium2": {"documents"},
    "selectolax": {"documents"},
    "stdnum": {"guardrails"},
    "striprtf": {"documents"},
    "typer": {"cli"},
    "rich": {"cli"},
    "urllib3": {"cli", "cloud", "delivery", "providers", "tenants"},
    "yaml": {"cli"},
}
"""Which rooms may import which package."""

AT_IMPORT = {"environ", "getenv", "open", "client", "setting", "create_client", "get_session", "urlopen", "connect"}
"""Names that have no place outside functions: the environment, files, clients."""

SOURCES = sorted(
    path for path in FUNCTIONS.glob("*/**/*.py") if path.relative_to(FUNCTIONS).parts[0] in ("broker", "handlers")
)


def unit(module: str) -> str:
    """The room of a module, `handlers`, or the module itself where it stands beside the rooms."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "broker" and rest else first


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Modules that a file imports, wherever in it, also for types only."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            packages = ("broker", "handlers")
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += names if node.module in packages else [str(node.module)]
    return tuple(found)


def arrows() -> dict[str, dict[str, str]]:
    """Each unit, the units that it imports, and one file that does so."""
    found: dict[str, dict[str, str]] = {}
    for path in SOURCES:
        own = unit(name_of(path))
        to = found.setdefault(own, {})
        for module in imports(path):
            if module.split(".")[0] in ("broker", "handlers") and unit(module) != own:
                to.setdefault(unit(module), str(path.relative_to(FUNCTIONS)))
    return {own: to for own, to in found.items() if own != "broker"}


@pytest.mark.parametrize("own", sorted(arrows()))
def test_imports_point_where_the_table_says(own: str) -> None:
    assert own in ARROWS, f"{own} is new: say in ARROWS what it may import"
    strange = {to: path for to, path in arrows()[own].items() if to not in ARROWS[own]}
    assert not strange, f"{own} may not import {strange}"


def test_the_table_names_no_arrow_that_is_gone() -> None:
    found = arrows()
    gone = {own: sorted(to - found.get(own, {}).keys()) for own, to in ARROWS.items() if to - found.get(own, {}).keys()}
    assert not gone, f"nobody needs these any more: {gone}"


def test_no_rooms_import_each_other_in_a_circle() -> None:
    order = list(TopologicalSorter({own: set(to) for own, to in arrows().items()}).static_order())
    assert order.index("errors") < order.index("jobs") < order.index("bootstrap") < order.index("handlers")


def test_only_the_outside_imports_the_cloud() -> None:
    found = {own for own, to in arrows().items() if "cloud" in to}
    assert found <= {"bootstrap", "cli", "handlers"}, (
        f"rooms take what they need from the cloud through a Protocol: {found}"
    )


def test_no_room_imports_a_handler_or_a_tool() -> None:
    for own, to in arrows().items():
        wrong = {each: path for each, path in to.items() if each in {"handlers", *TOOLS} and own not in TOOLS}
        assert not wrong, f"{own} imports {wrong}"


@pytest.mark.parametrize("package", sorted({module.split(".")[0] for path in SOURCES for module in imports(path)}))
def test_packages_are_imported_where_they_belong(package: str) -> None:
    if package in sys.stdlib_module_names or package in ("broker", "handlers"):
        return
    assert package in THIRD_PARTY, f"{package} is new: say in THIRD_PARTY who may import it"
    for path in SOURCES:
        if package in {module.split(".")[0] for module in imports(path)}:
            own = unit(name_of(path))
            assert own in THIRD_PARTY[package], f"{path.relative_to(FUNCTIONS)} imports {package}"


def outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
            continue
        yield node
        yield from outside_functions(node)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_read_or_made_at_import(path: Path) -> None:
    for node in outside_functions(ast.parse(path.read_text())):
        called = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if isinstance(getattr(node, "ctx", None), ast.Store):
            continue  # a name of our own
        assert called not in AT_IMPORT, f"{path.name}:{getattr(node, 'lineno', '?')} uses {called} at import"


GUARD = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        raise SystemExit(f"{event} at import")

sys.addaudithook(watch)
"""


@pytest.mark.parametrize("door", sorted(path.stem for path in (FUNCTIONS / "handlers").glob("[!_]*.py")))
def test_a_door_is_imported_without_environment_and_network(door: str) -> None:
    code = f"{GUARD}\nimport handlers.{door}"
    bare = {"PYTHONPATH": str(FUNCTIONS), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert done.returncode == 0, f"importing handlers.{door} needs something: {done.stderr[-500:]}"
