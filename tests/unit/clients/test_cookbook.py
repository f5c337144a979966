"""The cookbook's programs with the real packages, against a broker in memory."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.stack import ROOT
from tests.unit.clients.case import Site
from tests.unit.clients.programs import node, python, sections, slug

CLIENTS = ROOT / "docs" / "clients.md"
LISTS = ROOT / "tests" / "clients"

IN_FORM = "name='Turin' rivers=2"
BY_TOOL = "It is 21 degrees in Turin."

IN_JSON = '{"name":"Turin","rivers":2}'
FROM_BATCH = "a You said: "

IN_PYTHON = {
    "LangChain": ["lamp", "keeper", "2", *[IN_FORM, BY_TOOL] * 2],
    "LlamaIndex": ["lamp", "keeper", "2", IN_FORM, BY_TOOL],
    "Pydantic AI": ["lamp", "keeper", "Nobody", *[IN_FORM, BY_TOOL] * 3],
    "Instructor": [IN_FORM, IN_FORM],
    "LiteLLM": ["lamp", "lamp", "keeper", "2", *['{"name": "Turin"}', BY_TOOL] * 2, FROM_BATCH],
    "autobatcher": ["nobody. You said: The lamp needed nobody. 1", "slept. You said: The keeper slept. 1"],
}
"""What stands in each line that a program prints."""

IN_NODE = {
    "Vercel AI SDK": [*["lamp"] * 4, "keeper", "2", *[IN_JSON, BY_TOOL] * 4],
    "OpenAI for Node": ["lamp", "keeper", IN_JSON, BY_TOOL, "true", "2 number", FROM_BATCH],
    "Anthropic for Node": ["lamp", "lamp", BY_TOOL, FROM_BATCH],
}
"""Likewise."""


VERSIONED = re.compile(r"^\| \[(.+?)\]\(cookbook\.md#.+?\) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_the_page_of_clients_tells_the_versions_that_are_run() -> None:
    told = {name: f"{packages}, {on}".split(", ") for name, packages, on in VERSIONED.findall(CLIENTS.read_text())}
    assert told.keys() == {*IN_PYTHON, *IN_NODE}
    of_node = json.loads((LISTS / "package.json").read_text())["dependencies"]
    versions = {f"{name} {version}" for name, version in of_node.items()}
    versions.add("Node " + (LISTS / "node.txt").read_text().strip().partition("==")[2])
    assert {each for name in IN_NODE for each in told[name]} == versions
    for name in IN_PYTHON:
        locked = (LISTS / f"{slug(name)}.txt").read_text().splitlines()
        asked = (LISTS / f"{slug(name)}.in").read_text().splitlines()
        assert {each.replace(" ", "==") for each in told[name]} <= set(locked), name
        assert {each.partition("[")[0] for each in asked} <= {each.partition(" ")[0] for each in told[name]}, name


def test_the_lists_name_no_registry() -> None:
    for path in LISTS.iterdir():
        assert not re.search(r"\bregistry\b|resolved|--index-url|--extra-index", path.read_text()), path.name


def test_each_program_of_the_cookbook_is_run() -> None:
    assert IN_PYTHON.keys() == sections("python").keys()
    assert IN_NODE.keys() == sections("js").keys()


@pytest.mark.parametrize("framework", IN_PYTHON)
def test_a_framework_does_what_its_introduction_shows_first(framework: str, tmp_path: Path) -> None:
    tells(python(slug(framework), tmp_path, sections("python")[framework]), tmp_path, IN_PYTHON[framework])


@pytest.mark.parametrize("package", IN_NODE)
def test_a_package_of_node_does_too(package: str, tmp_path: Path) -> None:
    tells(node(tmp_path, sections("js")[package]), tmp_path, IN_NODE[package])


def tells(command: Sequence[Path], folder: Path, expected: Sequence[str]) -> None:
    """Run a program; each line that it prints has what is expected there."""
    told, complaints, status = Site().run(command, folder)
    assert status == 0, complaints[-3000:]
    lines = told.splitlines()
    assert len(lines) == len(expected), told
    for part, line in zip(expected, lines, strict=True):
        assert part in line, told
