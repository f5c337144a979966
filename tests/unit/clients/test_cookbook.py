"""The cookbook's programs with the real packages, against a broker in memory."""

import re
from pathlib import Path

import pytest

from tests.contract.stack import ROOT
from tests.unit.clients.case import Site
from tests.unit.clients.programs import python_of, sections, slug

CLIENTS = ROOT / "docs" / "clients.md"
LISTS = ROOT / "tests" / "clients"

IN_FORM = "name='Turin' rivers=2"
BY_TOOL = "It is 21 degrees in Turin."

TOLD = {
    "LangChain": ["lamp", "keeper", "2", *[IN_FORM, BY_TOOL] * 2],
    "LlamaIndex": ["lamp", "keeper", "2", IN_FORM, BY_TOOL],
    "Pydantic AI": ["lamp", "keeper", "Nobody", *[IN_FORM, BY_TOOL] * 3],
    "Instructor": [IN_FORM, IN_FORM],
    "LiteLLM": ["lamp", "lamp", "keeper", "2", *['{"name": "Turin"}', BY_TOOL] * 2, "a You said: "],
    "autobatcher": ["lamp needed nobody. You said: The lamp"],
}
"""What stands in each line that a program prints."""


VERSIONED = re.compile(r"^\| \[(.+?)\]\(cookbook\.md#.+?\) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_the_page_of_clients_tells_the_versions_that_are_run() -> None:
    told = {name: f"{packages}, {on}".split(", ") for name, packages, on in VERSIONED.findall(CLIENTS.read_text())}
    assert told.keys() == TOLD.keys()
    for name, packages in told.items():
        locked = (LISTS / f"{slug(name)}.txt").read_text().splitlines()
        asked = (LISTS / f"{slug(name)}.in").read_text().splitlines()
        assert {each.replace(" ", "==") for each in packages} <= set(locked), name
        assert {each.partition("[")[0] for each in asked} <= {each.partition(" ")[0] for each in packages}, name


def test_each_program_of_the_cookbook_is_run() -> None:
    assert TOLD.keys() == sections("python").keys()


@pytest.mark.parametrize("framework", TOLD)
def test_a_framework_does_what_its_introduction_shows_first(framework: str, tmp_path: Path) -> None:
    python = python_of(slug(framework))
    program = tmp_path / "program.py"
    program.write_text(sections("python")[framework])
    site = Site()
    told, complaints, status = site.run([python, program], tmp_path)
    assert status == 0, complaints[-3000:]
    lines = told.splitlines()
    assert len(lines) == len(TOLD[framework]), told
    for expected, line in zip(TOLD[framework], lines, strict=True):
        assert expected in line, told
